#!/bin/bash
# install.sh NEED...: installs the missing Debian packages of deploy/packages.txt for these needs.
set -eu
list=$(dirname "$0")/../packages.txt
missing=()
while read -r package need; do
    [[ $package == \#* || -z $need || " $* " != *" $need "* ]] && continue
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done <"$list"
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing: ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
    echo "install.sh: these packages are missing and installing them needs root" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A service that a package brings must not start: only its program is wanted.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
log=$(mktemp)
if ! { apt-get -q update && apt-get -qy install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "install.sh: apt-get failed; its output is in $log" >&2
    exit 1
fi
rm -f "$log"
