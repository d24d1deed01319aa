"""What bench_proxy.py compares: lbnode, haproxy and nginx on one host of a lab, one thread each, and the
two nginx that serve as workers. Each system listens at the same two ports of an address of its own."""
import os
import re
import signal

from lab import LabError, wait_until

VIP = "10.77.0.100"
ADDRESSES = {"lbnode": VIP, "haproxy": "10.77.0.111", "nginx": "10.77.0.112"}
PORTS = {"http": 8080, "tcp": 8090}
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
POOLS, POOL_MEMBERS = 1000, 10
FILES = {"16k": 16 << 10, "1m": 1 << 20, "64m": 64 << 20}

HAPROXY = """global
  nbthread 1
  maxconn 9500
  maxpipes 400
defaults
  mode http
  option redispatch
  option splice-auto
  http-reuse always
  balance roundrobin
  maxconn 9500
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend web
  bind %(address)s:8080 backlog 65535
%(rules)s  default_backend workers
backend workers
  server w1 10.77.0.21:8000
  server w2 10.77.0.22:8000
listen tcp
  mode tcp
  bind %(address)s:8090 backlog 65535
  server w1 10.77.0.21:8000
  server w2 10.77.0.22:8000
%(backends)s"""

NGINX = """%(load)sworker_processes 1; daemon off; pid %(directory)s/proxy.pid; error_log %(directory)s/proxy.err crit;
worker_rlimit_nofile 20000;
events { worker_connections 19000; multi_accept on; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600; tcp_nodelay on;
 %(temporary)s
 proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0; proxy_buffers 16 16k;
 upstream workers { server 10.77.0.21:8000; server 10.77.0.22:8000; keepalive 256; keepalive_requests 1000000000; }
 %(upstreams)s
 server { listen %(address)s:8080 backlog=65535; location / { proxy_pass http://%(target)s; } } }
%(stream)s
"""
STREAM = """stream { upstream workers { server 10.77.0.21:8000; server 10.77.0.22:8000; }
 server { listen %s:8090 backlog=65535; proxy_pass workers; proxy_buffer_size 64k; } }"""

WORKER = """worker_processes 1; daemon off; pid %(directory)s/nginx.pid; error_log %(directory)s/nginx.err crit;
worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600; tcp_nodelay on; sendfile on;
 %(temporary)s
 server { listen 8000 backlog=65535; default_type text/plain; root %(directory)s/www;
  location = / { return 200 "0123456789012345678901234567890123456789012345678901234567890123"; } } }
"""


def temporary(directory):
    kinds = "client_body proxy fastcgi uwsgi scgi"
    return " ".join("%s_temp_path %s/%s;" % (kind, directory, kind) for kind in kinds.split())


def has_stream():
    return os.path.exists(STREAM_MODULE)


def haproxy_config(many):
    rules = backends = ""
    if many:
        rules = "  use_backend %[req.hdr(host),lower] if { req.hdr(host) -m beg p }\n"
        for i in range(POOLS):
            backends += "backend p%d\n" % i + "".join(
                "  server s%d 10.78.%d.%d:8000\n" % (j, i % 250, j + 1) for j in range(POOL_MEMBERS))
    return HAPROXY % {"address": ADDRESSES["haproxy"], "rules": rules, "backends": backends}


def nginx_config(directory, many):
    upstreams, target = "", "workers"
    if many:
        upstreams = ("map_hash_max_size 8192; map_hash_bucket_size 128; map $host $pool { default workers; %s }\n"
                     % " ".join("p%d p%d;" % (i, i) for i in range(POOLS)))
        for i in range(POOLS):
            upstreams += "upstream p%d { %s keepalive 16; }\n" % (i, " ".join(
                "server 10.78.%d.%d:8000;" % (i % 250, j + 1) for j in range(POOL_MEMBERS)))
        target = "$pool"
    stream = has_stream()
    return NGINX % {"directory": directory, "address": ADDRESSES["nginx"], "temporary": temporary(directory),
                    "upstreams": upstreams, "target": target,
                    "load": "load_module %s;\n" % STREAM_MODULE if stream else "",
                    "stream": STREAM % ADDRESSES["nginx"] if stream else ""}


def many_pools_document(first, last):
    lines = ["loadbalancers:", "- name: many%d" % first, "  vip_address: 10.77.0.%d" % (120 + first * 10 // POOLS), "  pools:"]
    for i in range(first, last):
        lines += ["  - name: p%d" % i, "    protocol: HTTP", "    lb_algorithm: ROUND_ROBIN", "    members:"]
        lines += ["    - {address: 10.78.%d.%d, protocol_port: 8000}" % (i % 250, j + 1) for j in range(POOL_MEMBERS)]
    return "\n".join(lines) + "\n"


class Systems:
    """Starts and stops what is compared; knows whose processes are whose."""

    def __init__(self, lab):
        self.lab, self.processes = lab, {}

    def write(self, host, name, content):
        path = self.lab.path(host, name)
        with open(path, "w") as file:
            file.write(content)
        return path

    def start_workers(self, pin):
        for worker in self.lab.worker_names():
            self.lab.worker_stop(worker)
            directory = self.lab.path(worker)
            os.makedirs(os.path.join(directory, "www"), exist_ok=True)
            for name, size in FILES.items():
                with open(os.path.join(directory, "www", name), "wb") as file:
                    file.truncate(size)
            path = self.write(worker, "nginx.conf", WORKER % {"directory": directory, "temporary": temporary(directory)})
            self.lab.spawn(worker, *pin, "nginx", "-c", path)

    def start_peers(self, many=False):
        directory = self.lab.path("lb1")
        for address in ADDRESSES["haproxy"], ADDRESSES["nginx"]:
            self.lab.execute("lb1", "ip", "address", "replace", address + "/24", "dev", "eth0")
        haproxy = self.write("lb1", "haproxy.cfg", haproxy_config(many))
        nginx = self.write("lb1", "proxy.conf", nginx_config(directory, many))
        self.processes["haproxy"] = self.lab.spawn("lb1", "haproxy", "-db", "-f", haproxy)
        self.processes["nginx"] = self.lab.spawn("lb1", "nginx", "-c", nginx)

    def stop_peers(self):
        for process in self.processes.values():
            os.kill(process.pid, signal.SIGTERM)
            process.wait(10)
        self.processes = {}

    def run(self, command, text_in=None):
        done = self.lab.lbnode("lb1", *command.split(), text_in=text_in)
        if done.returncode:
            raise LabError(command + ": " + done.stderr)

    def start_lbnode(self, many=False):
        self.lab.start("lb1", options=["--workers", "1"])
        self.run("init")
        if many:
            for first in range(0, POOLS, POOLS // 2):  # a change has at most 65,536 operations
                self.run("apply -f -", many_pools_document(first, first + POOLS // 2))
        self.run("loadbalancer create --name web --vip-address " + VIP)
        for protocol, port in ("HTTP", PORTS["http"]), ("TCP", PORTS["tcp"]):
            self.run("listener create --name %s --protocol %s --protocol-port %d web" % (protocol, protocol, port))
            self.run("pool create --name web%s --protocol %s --lb-algorithm ROUND_ROBIN --listener %s"
                     % (protocol, protocol, protocol))
            for i in 1, 2:
                self.run("member create --name w%d --address 10.77.0.2%d --protocol-port 8000 web%s" % (i, i, protocol))

    def children(self, pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]

    def pids(self, system):
        """All processes that SYSTEM consists of."""
        if system == "lbnode":
            return self.lab.pids("lb1")
        pid = self.processes[system].pid
        return [pid] + self.children(pid)

    def proxy_pids(self, system):
        """Those that carry traffic."""
        if system != "lbnode":
            return self.pids(system)
        named = []
        for pid in self.lab.pids("lb1"):
            with open("/proc/%d/comm" % pid) as file:
                named += [pid] if re.fullmatch("lbnode-proxy", file.read().strip()) else []
        return named

    def wait(self):
        for system, address in ADDRESSES.items():
            for port in PORTS:
                if system == "nginx" and port == "tcp" and not has_stream():
                    continue
                url = "http://%s:%d/" % (address, PORTS[port])
                if not wait_until(lambda: "0123" in self.lab.execute("client", "curl", "-s", "-m", "1", url).stdout, 30):
                    raise LabError("%s does not answer" % url)
