# What the peer scripts share. A peer is a real server that the tests talk to, on loopback, on ports of its own.
# Its state stands in $POSTBOOK_PEERS/NAME (by default .peers/NAME in the repository); what tests need to know about
# it is in the file `env` there. Source this with `peer` set to the peer's name.
set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=${POSTBOOK_PEERS:-$(cd "$here/../.." && pwd)/.peers}/$peer
mkdir -p "$state"
state=$(cd "$state" && pwd)

say() { echo "$peer: $*" >&2; }
die() { say "$*"; exit 1; }

# need FILE PACKAGE...: installs Debian packages unless FILE is there already.
need() {
  local file=$1; shift
  [ -e "$file" ] && return
  [ "$(id -u)" = 0 ] || die "needs the packages $*: install them, or run this as root"
  say "installing $* (apt-get, log in $state/apt.log)"
  # Keeps the packages from starting servers on the usual ports.
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && ours=yes
  fi
  {
    install_packages "$@" || { apt-get -q update && install_packages "$@"; }
  } >>"$state/apt.log" 2>&1 || { [ -z "$ours" ] || rm -f $policy; die "installing $* failed, see $state/apt.log"; }
  [ -z "$ours" ] || rm -f $policy
}

install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"
}

# port NAME: a free port, chosen once and then kept.
port() {
  local file=$state/port.$1
  # Below those that the system gives to connections, one of which might take it while its server is away.
  [ -s "$file" ] || python3 -c '
import random, socket
while True:
    with socket.socket() as it:
        try:
            it.bind(("127.0.0.1", random.randrange(10000, 32000)))
        except OSError:
            continue
        print(it.getsockname()[1])
        break' >"$file"
  cat "$file"
}

# A process is known by its number and the time it began, so that a number used again is never taken for it. A peer of
# several processes gives each a NAME.
# One that has ended and waits to be noticed is none any more.
birth() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }
remember() { echo "$1 $(birth "$1")" >"$state/${2:+$2.}pid"; } # PID [NAME]
running() { # [NAME]
  local file=$state/${1:+$1.}pid pid began
  [ -s "$file" ] && read -r pid began <"$file" && [ -n "$began" ] && [ "$(birth "$pid")" = "$began" ]
}

# end [NAME [SIGNAL]]: asks the peer's process to stop, insists after ten seconds. One that holds a namespace of processes
# takes no SIGTERM (unshare --fork); with SIGKILL all of them go with it.
end() {
  local file=$state/${1:+$1.}pid pid
  if running "${1:-}"; then
    read -r pid _ <"$file"
    kill -"${2:-TERM}" "$pid" 2>/dev/null || true
    for _ in $(seq 100); do running "${1:-}" || break; sleep 0.1; done
    if running "${1:-}"; then kill -KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$file"
}

# listening PORT: waits until something answers there.
listening() {
  for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.05
  done
  die "nothing answers on 127.0.0.1:$1, see the logs in $state"
}

# certificate FOLDER: cert.pem and key.pem for localhost, by an authority of its own, ca.pem: TLS libraries refuse a
# certificate that is its own authority.
certificate() {
  local folder=$1
  local new_key=(openssl req -newkey rsa:2048 -nodes -batch)
  {
    "${new_key[@]}" -x509 -days 3650 -subj '/CN=Postbook test authority' -keyout "$folder/ca.key" -out "$folder/ca.pem"
    "${new_key[@]}" -subj /CN=localhost -keyout "$folder/key.pem" -out "$folder/request.pem"
    openssl x509 -req -days 3650 -in "$folder/request.pem" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" \
      -CAcreateserial -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "$folder/cert.pem"
  } 2>"$state/openssl.log"
}

# tell NAME=VALUE...: what the tests read.
tell() { printf '%s\n' "$@" >"$state/env"; say "up: $*"; }
