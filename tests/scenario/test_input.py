"""Bad input gets one clear sentence and the right exit code, and changes nothing."""
import json

from pair import VIP, PairTest

FAILED, USAGE, NOT_FOUND, CONFLICT = 1, 2, 3, 4

# (command, exit codes that fit, words that the sentence must have)
BAD_COMMANDS = (
    ("listener create --name x --protocol HTTP --protocol-port 70000 web", (FAILED, USAGE), ("port", "70000")),
    ("listener create --name x --protocol HTTP --protocol-port 80 web", (CONFLICT,), ("80",)),
    ("listener create --name x --protocol SMTP --protocol-port 81 web", (FAILED, USAGE), ("protocol", "SMTP")),
    ("member create --name x --address 10.77.0.999 --protocol-port 80 workers", (FAILED, USAGE),
     ("address", "10.77.0.999")),
    ("member create --name x --colour blue --address 10.77.0.9 --protocol-port 80 workers", (USAGE,), ("colour",)),
    ("member set --weight 900 workers w1", (FAILED, USAGE), ("weight", "900")),
    ("member show workers nobody", (NOT_FOUND,), ("nobody",)),
    ("pool show nothing", (NOT_FOUND,), ("nothing",)),
    ("healthmonitor create --type HTTP --delay 2 --timeout 3 --max-retries 3 workers", (FAILED, USAGE, CONFLICT),
     ("",)),
    ("frobnicate everything", (USAGE,), ("frobnicate",)),
)


class BadInput(PairTest):
    def configuration(self, node):
        return self.cli(node, "export")

    def refuse(self, command, codes, words):
        result = self.lab.lbnode("lb1", *command.split())
        said = (result.stderr + result.stdout).strip()
        self.assertIn(result.returncode, codes, "lbnode %s: exit %d: %s" % (command, result.returncode, said))
        for word in words:
            self.assertIn(word, said, "lbnode %s said: %s" % (command, said))
        self.assertTrue(said, "lbnode %s said nothing" % command)

    def test_bad_commands_are_refused_with_a_sentence(self):
        before = self.configuration("lb1")
        for command, codes, words in BAD_COMMANDS:
            with self.subTest(command):
                self.refuse(command, codes, words)
        self.assertEqual(self.configuration("lb1"), before, "a refused command changed something")

    def test_a_broken_file_is_refused_as_a_whole(self):
        before = self.configuration("lb1")
        path = self.lab.path("lb1", "bad.yaml")
        for text in ("loadbalancers: [\n", "{\"loadbalancers\": [}", "- just\n- a list\n",
                     before + "\ncolours: blue\n", before.replace("ROUND_ROBIN", "FASTEST")):
            with self.subTest(text[:40]), open(path, "w") as file:
                file.write(text)
                file.flush()
                self.refuse("apply -f " + path, (FAILED, USAGE), ("",))
        self.assertEqual(self.configuration("lb1"), before, "a refused file changed something")

    def post(self, path, body):
        """(HTTP status, body) of a POST to the API of lb1."""
        result = self.lab.execute("lb1", "curl", "-s", "-m", "20", "--unix-socket", self.lab.socket("lb1"), "-X", "POST",
                                  "-H", "Content-Type: application/json", "--data-binary", "@-",
                                  "-w", "\n%{http_code}", "http://lbnode" + path, text_in=body)
        answer, _, status = result.stdout.rpartition("\n")
        return int(status), answer

    def test_bad_bodies_are_refused_with_a_sentence(self):
        before = self.configuration("lb1")
        for body, statuses, words in (
                ('{"loadbalancer": {"name": "x"', (400,), ()),
                ('{"loadbalancer": {"colour": "blue", "vip_address": "10.77.0.101"}}', (400,), ("colour",)),
                ('{"loadbalancer": {"vip_address": "10.77.0.777"}}', (400,), ("vip_address", "10.77.0.777")),
                ('{"loadbalancer": "x"}', (400,), ()),
                ("[" * 100000, (400, 413), ()),
                ('{"loadbalancer": {"name": "%s"}}' % ("x" * (10 << 20)), (413,), ()),
        ):
            with self.subTest(body[:60]):
                status, answer = self.post("/v2.0/lbaas/loadbalancers", body)
                self.assertIn(status, statuses, answer[:200])
                for word in words:
                    self.assertIn(word, answer)
                self.assertTrue(json.loads(answer).get("faultstring"), answer[:200])
        self.assertEqual(self.configuration("lb1"), before, "a refused body changed something")


class BadJoin(PairTest):
    nodes, formed, serves = 3, False, False

    def test_a_token_lets_one_node_in_once(self):
        for node in self.lab.node_names():
            self.lab.start(node)
        self.cli("lb1", "init")
        self.cli("lb2", "join nonsense", code=self.code("lb2", "join nonsense"))
        token = self.lab.token("lb1")
        wrong = token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8)
        self.refuse("lb2", wrong)
        self.cli("lb2", "join " + token)
        self.refuse("lb3", token)
        listed = self.cli("lb1", "node list")
        self.assertIn("lb2", listed)
        self.assertNotIn("lb3", listed)

    def code(self, node, command):
        """The exit code of a command that must fail."""
        result = self.lab.lbnode(node, *command.split())
        self.assertIn(result.returncode, (1, 2, 4, 5), result.stdout + result.stderr)
        return result.returncode

    def refuse(self, node, token):
        result = self.lab.lbnode(node, "join", token)
        self.assertIn(result.returncode, (1, 2, 4, 5), result.stdout + result.stderr)
        self.assertIn("token", result.stdout + result.stderr)


class Files(PairTest):
    def test_what_was_exported_applies_elsewhere_unchanged(self):
        exported = self.cli("lb1", "export")
        self.cli("lb1", "loadbalancer delete --cascade web")
        self.eventually(lambda: not self.lab.holders(VIP), 5, "the address is gone with its load balancer")
        path = self.lab.path("lb2", "web.yaml")
        with open(path, "w") as file:
            file.write(exported)
        self.cli("lb2", "apply -f " + path)
        self.settle()
        self.assertEqual(self.cli("lb1", "export"), exported)
        self.cli("lb2", "apply -f " + path)
        self.assertEqual(self.cli("lb2", "export"), exported, "applying twice changed something")
