# Driver of lbnode for benches of proxies that source a file of drv_* functions and set RUN (a directory),
# SUT (the name of the system), VIP, BE1 and BE2 (addresses that exist), lbx (exec in the namespace of the
# load balancer, on its core). LBNODE names the binary. The node runs as an ordinary user and so is a plain
# load balancer on an address that the host has already.
DRV_CAPS="proc http tcp scale runtime"
LBNODE=${LBNODE:-$(command -v lbnode)}
drv_version() { "$LBNODE" version; }
lbnode_cli() { "$LBNODE" "$@" --run-dir "$RUN/$SUT.run" </dev/null; }
lbnode_document() {
    cat <<END
loadbalancers:
- name: web
  vip_address: $VIP
  listeners:
  - {name: web, protocol: HTTP, protocol_port: 8080, default_pool: be, connection_limit: -1}
  - {name: tcp, protocol: TCP, protocol_port: 9000, default_pool: tcp, connection_limit: -1}
  - {name: bulk, protocol: TCP, protocol_port: 5201, default_pool: bulk, connection_limit: -1}
  pools:
  - name: be
    protocol: HTTP
    lb_algorithm: ROUND_ROBIN
    members: [{name: s1, address: $BE1, protocol_port: 8000}, {name: s2, address: $BE2, protocol_port: 8000}]
    healthmonitor: {type: TCP, delay: 1, timeout: 1, max_retries: 2}
  - name: tcp
    protocol: TCP
    lb_algorithm: ROUND_ROBIN
    members: [{name: s1, address: $BE1, protocol_port: 8000}, {name: s2, address: $BE2, protocol_port: 8000}]
  - name: bulk
    protocol: TCP
    lb_algorithm: ROUND_ROBIN
    members: [{name: s1, address: $BE1, protocol_port: 5201}]
END
}
lbnode_many_pools() { # FIRST COUNT: a change has at most 65,536 operations, so they come in parts
    local i j
    printf 'loadbalancers:\n- name: many%d\n  vip_address: 10.78.255.%d\n  pools:\n' "$1" $((1 + $1 / $2))
    for ((i = $1; i < $1 + $2; i++)); do
        printf '  - name: p%d\n    protocol: HTTP\n    lb_algorithm: ROUND_ROBIN\n    members:\n' "$i"
        for ((j = 1; j <= 10; j++)); do
            echo "    - {address: 10.78.$((i % 250)).$j, protocol_port: 8000}"
        done
    done
}
lbnode_wait() { # until COMMAND... works, for 10 seconds
    local i
    for ((i = 0; i < 200; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}
# The configuration is in the state directory, so a node is started to take it.
drv_prepare() { # MODE THREADS
    local first
    LBNODE_THREADS=$2
    rm -rf "$RUN/$SUT.state" "$RUN/$SUT.run"
    install -d -o nobody -g nogroup "$RUN/$SUT.state" "$RUN/$SUT.run"
    lbnode_document >"$RUN/$SUT.yaml"
    drv_launch
    lbnode_wait lbnode_cli init
    lbnode_cli apply -f "$RUN/$SUT.yaml" >>"$RUN/$SUT.log" 2>&1
    if [ "$1" = scale ]; then
        for first in 0 500; do
            lbnode_many_pools $first 500 >"$RUN/$SUT.many.yaml"
            lbnode_cli apply -f "$RUN/$SUT.many.yaml" >>"$RUN/$SUT.log" 2>&1
        done
    fi
    drv_stop
}
drv_launch() {
    lbx setpriv --reuid nobody --regid nogroup --clear-groups "$LBNODE" run --name lb --workers "$LBNODE_THREADS" \
        --state-dir "$RUN/$SUT.state" --run-dir "$RUN/$SUT.run" >>"$RUN/$SUT.log" 2>&1 </dev/null &
    LBPID=$!
}
drv_start() {
    drv_prepare "$@"
    drv_launch
}
drv_pids() { echo "$LBPID" $(pgrep -P "$LBPID"); }
drv_stop() {
    kill -TERM "$LBPID" 2>/dev/null
    wait "$LBPID" 2>/dev/null
}
drv_runtime() { lbnode_cli member set be s1 --weight $((1 + $1 % 2)); }
