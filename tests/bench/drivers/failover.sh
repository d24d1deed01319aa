#!/bin/bash
# Driver of lbnode for benches of fail-over that call a program with start, stop, start-proxy or pids KIND
# (vrrp, proxy or all) for one node of a pair, and set: NS its network namespace, NODE its name (lb1 or lb2),
# DIR a directory of its own beside that of the other node, IP, IFACE, VIP, BACKEND (address:port), PRIO its
# priority, ADVERT_CS the advert interval in hundredths of a second, VRIDS how many groups are wanted; group i
# beyond the first has the address 10.200.0.i. LBNODE names the binary. lb1 takes its address back.
set -eu
LBNODE=${LBNODE:-$(command -v lbnode)}

cli() { "$LBNODE" "$@" --run-dir "$DIR/run" </dev/null; }
alive() { [ -s "$DIR/pid" ] && kill -0 "$(cat "$DIR/pid")" 2>/dev/null; }
until_works() { # for 10 seconds
    for _ in $(seq 500); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.02
    done
    return 1
}
run() {
    ip netns exec "$NS" "$LBNODE" run --name "$NODE" --address "$IP" --workers 1 \
        --state-dir "$DIR/state" --run-dir "$DIR/run" >>"$DIR/log" 2>&1 </dev/null &
    echo $! >"$DIR/pid"
    until_works cli version
}
document() {
    local i
    echo "vrrp_groups:"
    for i in $(seq "$VRIDS"); do
        echo "- {name: group$i, vrid: $i, interface: $IFACE, advert_interval_ms: $((ADVERT_CS * 10)), preempt: true," \
            "preference: {lb1: 150, lb2: 100}}"
    done
    echo "loadbalancers:"
    for i in $(seq 2 "$VRIDS"); do
        echo "- {name: web$i, vrrp_group: group$i, vip_address: 10.200.0.$i}"
    done
    echo "- name: web"
    echo "  vrrp_group: group1"
    echo "  vip_address: $VIP"
    echo "  listeners:"
    echo "  - {name: http, protocol: HTTP, protocol_port: 80, default_pool: workers}"
    echo "  pools:"
    echo "  - name: workers"
    echo "    protocol: HTTP"
    echo "    lb_algorithm: ROUND_ROBIN"
    echo "    members: [{name: w1, address: ${BACKEND%:*}, protocol_port: ${BACKEND#*:}}]"
}
first_start() {
    if [ "$NODE" = lb1 ]; then
        until_works cli init
        document >"$DIR/service.yaml"
        cli apply -f "$DIR/service.yaml" >>"$DIR/log" 2>&1
    else
        token=$("$LBNODE" token create --run-dir "$DIR/../lb1/run" </dev/null)
        until_works cli join "$token"
    fi
}
children() { # of PID called NAME, or all
    local pid
    for pid in $(pgrep -P "$1"); do
        case "${2:-}" in
        "" | "$(cat "/proc/$pid/comm")") echo "$pid" ;;
        esac
    done
}

case $1 in
start)
    alive && exit 0
    known=$([ -d "$DIR/state" ] && echo yes || true)
    run
    [ -n "$known" ] || first_start
    ;;
start-proxy) ;; # the supervisor has done it
stop)
    if alive; then
        kill -TERM "$(cat "$DIR/pid")"
        for _ in $(seq 500); do
            alive || break
            sleep 0.02
        done
    fi
    ;;
pids)
    alive || exit 0
    case $2 in
    all) cat "$DIR/pid" && children "$(cat "$DIR/pid")" ;;
    *) children "$(cat "$DIR/pid")" "lbnode-$2" ;;
    esac
    ;;
esac
