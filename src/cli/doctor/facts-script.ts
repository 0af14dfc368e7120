import { COOKIE_VARIABLES } from '../../erlang/cookie.ts';
import { NODE_PLACES } from '../../runtime/dyno-node.ts';

const COOKIES = COOKIE_VARIABLES.map((name) => `-e 's/^${name}=..*/cookie ${name}/p'`).join(' ');

/**
 * Looks around in a dyno and changes nothing. POSIX sh with readlink, sed and tr; what is missing
 * is left out. One fact a line; of cookies it tells where they are and never what they are.
 * Processes of other network namespaces are not the dyno's.
 */
export const FACTS_SCRIPT = `
exec 2>/dev/null
LC_ALL=C; export LC_ALL
for n in ${NODE_PLACES}; do
  v=$("$n" --version </dev/null) && echo "node $v $(command -v "$n")"
done
[ -f "$HOME/.erlang.cookie" ] && echo 'cookie ~/.erlang.cookie'
net=$(readlink /proc/self/ns/net)
beams=0
for d in /proc/[0-9]*; do
  c=
  read -r c < "$d/comm"
  case $c in beam*) ;; *) continue ;; esac
  other=$(readlink "$d/ns/net")
  [ -z "$other" ] || [ "$other" = "$net" ] || continue
  beams=$((beams + 1))
  [ $beams -le 50 ] || break
  echo "beam \${d#/proc/}"
  tr '\\000' '\\n' < "$d/cmdline" | sed -n -e '/^-sname$/{n;s/^/short /p;}' -e '/^-name$/{n;s/^/long /p;}' -e '/^-bindir$/{n;s/^/bindir /p;}' -e '/^-setcookie$/s/.*/cookie -setcookie/p'
  tr '\\000' '\\n' < "$d/environ" | sed -n ${COOKIES}
  home=$(tr '\\000' '\\n' < "$d/environ" | sed -n 's/^HOME=//p')
  [ -n "$home" ] && [ -s "$home/.erlang.cookie" ] && echo 'cookie ~/.erlang.cookie'
  root=$(tr '\\000' '\\n' < "$d/environ" | sed -n 's/^RELEASE_ROOT=//p')
  [ -n "$root" ] && [ -s "$root/releases/COOKIE" ] && echo 'cookie releases/COOKIE'
done
for f in /proc/net/tcp /proc/net/tcp6; do
  [ -r $f ] && echo "readable $f"
  sed -n 's/^ *[0-9]*: \\([0-9A-F]*:[0-9A-F]*\\) [0-9A-F]*:[0-9A-F]* 0A .*/listen \\1/p' $f | sed 500q
done
echo end
`;
