# Shared by the scripts whose broker comes from a package registry of a language
# and not from Debian; sourced after broker.sh, whose install it replaces.

cache=${MQSPEC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mqspec}/$name

# shellcheck disable=SC2154 # the script that sources this one sets it
from_pypi() {
    [ -x "$cache/bin/python" ] || python3 -m venv "$cache" >&2
    "$cache/bin/pip" -q install "$1" >&2
}

from_npm() {
    mkdir -p "$cache"
    npm install --silent --no-fund --no-audit --prefix "$cache" "$1" >&2
}
