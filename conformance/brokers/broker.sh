# Shared by the scripts that start a real broker for mqspec; not run by itself.
#
# A script sets `name` and `packages`, defines start_broker (which ends by
# calling `keep PID`), ready and urls, and then calls `main "$@"`.
#
# MQSPEC_PORTS is the first of the thirty ports that the brokers listen on, on
# loopback only; another value is another set of instances, with data of its own.

set -euo pipefail

ports=${MQSPEC_PORTS:-21000}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2154 # the script that sources this one sets it
state=${TMPDIR:-/tmp}/mqspec-brokers-$ports/$name

say() { echo "$name: $*" >&2; }
die() { say "$@"; exit 1; }

main() {
    case ${1:-} in
        install) install ;;
        start) start ;;
        stop) stop ;;
        restart) restart ;;
        options) options ;;
        *) echo "usage: $0 install|start|stop|restart|options" >&2; exit 2 ;;
    esac
}

# Debian's packages, without starting the services that they bring.
install() {
    local package missing=()
    # shellcheck disable=SC2154
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
            || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || die "root is needed to install ${missing[*]}"
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap "rm -f $policy" EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    for package in "${missing[@]}"; do
        if ! apt-cache policy "$package" | grep -q 'Candidate: [^(]'; then
            apt-get -q update >&2
            break
        fi
    done
    apt-get -qy -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" >&2
}

running() { [ -s "$state/pid" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null; }

# Starts unless it runs already, waits until it answers, and prints the URLs.
start() {
    if ! running; then
        rm -rf "$state"
        mkdir -p "$state"
        start_broker
    fi
    local tries=0
    until ready; do
        running || { tail -n 20 "$state/log" >&2; die "it ended while starting; see $state/log"; }
        [ $((tries += 1)) -lt 600 ] || die "not ready within 60 s; see $state/log"
        sleep 0.1
    done
    urls
}

# Further arguments for mqspec, one per line.
options() { printf '%s\n' --restart-command "$here/$name restart"; }

# Stops it, and starts it again on the same data.
restart() {
    end_all
    rm -f "$state"/pid*
    start_broker
}

# For start_broker: the broker runs as this process.
keep() { echo "$1" >"$state/pid"; }

# Whether something accepts connections on every one of the ports.
listening() {
    local port
    for port in "$@"; do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 1
    done
}

# Ends the processes that start has kept, by their ids: the last first.
stop() {
    end_all
    rm -rf "$state"
}

end_all() {
    local file
    for file in "$state/pid" "$state"/pid.*; do
        [ ! -s "$file" ] || end "$(cat "$file")"
    done
}

# A script may set how many seconds the broker has to end in.
end() {
    local tries=0 seconds=${patience:-20}
    kill "$1" 2>/dev/null || return 0
    while kill -0 "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -eq $((seconds * 10)) ]; then
            say "$1 does not end within $seconds s; killing it"
            kill -KILL "$1" 2>/dev/null || true
        fi
        # What was killed has its ports until it is gone.
        [ $tries -lt $((seconds * 10 + 50)) ] || return 0
        sleep 0.1
    done
}
