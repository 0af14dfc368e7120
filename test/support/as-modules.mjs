/**
 * Lets mocha load the tests by `import`. By `require`, its own choice, tsx compiles a file in another way than by `import`: a process would then have two
 * copies of a module that is also imported at run time, and coverage would lay the counts of both over the text of one.
 */
Object.defineProperty(process.features, 'require_module', { value: false });
