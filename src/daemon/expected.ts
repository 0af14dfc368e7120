/** Tells a daemon that is started what its first tunnel will most likely lead to. */
export const HEROKU_FLAG = '--heroku';
