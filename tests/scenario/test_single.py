"""One host, no cluster, no privileges: still a load balancer."""
import os
import shutil
import signal

from pair import PairTest


class OrdinaryUser(PairTest):
    nodes, formed, serves = 1, False, False

    def test_it_balances_on_an_address_that_the_host_has(self):
        home = self.lab.path("lb1", "home")
        os.mkdir(home)
        os.chown(home, 65534, 65534)
        program = shutil.copy(self.lab.binary, home)    # the checkout may be in a closed home directory
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=" + home]
        process = self.lab.spawn("lb1", *user, program, "run", "--name", "lb1", "--state-dir", home + "/state",
                                 "--run-dir", home + "/run")
        options = ["--socket", home + "/run/lbnode.sock"]
        self.eventually(lambda: self.lab.lbnode("lb1", "status", *options).returncode in (0, 1), 5, "the node answers")
        for command in ("loadbalancer create --name web --vip-address 10.77.0.11",
                        "listener create --name http --protocol HTTP --protocol-port 8080 web",
                        "pool create --name workers --listener http",
                        "member add workers 10.77.0.21:80 10.77.0.22:80"):
            self.cli("lb1", command.split() + options)
        answers = [self.lab.execute("client", "curl", "-s", "-m", "2", "http://10.77.0.11:8080/").stdout for _ in range(4)]
        self.assertEqual(answers[:2], answers[2:], answers)
        self.assertEqual(len(set(answers)), 2, answers)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=10), 0)
