"""The lab itself, and the quickstart's guide."""
import os
import subprocess
import sys
import unittest

from pair import ROOT, PairTest, namespaces


class LabItself(PairTest):
    nodes, workers, formed, serves = 1, 1, False, False

    def reaches(self):
        got = self.lab.execute("client", "curl", "-s", "-m", "0.3", "http://%s/" % self.lab.address("w1"))
        return "worker 1" in got.stdout

    def test_cables_cuts_and_loss_do_what_they_say(self):
        self.eventually(self.reaches, 5, "worker 1 answers")
        self.lab.cut("client", "w1")
        self.assertFalse(self.reaches(), "a cut pair still talks")
        self.lab.heal()
        self.eventually(self.reaches, 5, "worker 1 answers")
        self.lab.unplug("w1")
        self.assertFalse(self.reaches(), "a pulled cable still carries")
        self.lab.plug("w1")
        self.eventually(self.reaches, 5, "the cable carries again")
        self.lab.loss(100)
        self.assertFalse(self.reaches(), "everything is lost and still arrives")

    def test_status_without_a_reader_ends_quietly(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        command = [sys.executable, os.path.join(ROOT, "deploy", "lab"), "status", "--name", self.lab.name]
        done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=30)
        os.close(write_end)
        self.assertEqual(done.stderr, "")

    def test_up_replaces_what_a_crash_left_and_down_leaves_nothing(self):
        namespaces.run("rm", os.path.join(self.lab.directory, "lab.json"))
        self.lab.up(1, 2)
        self.eventually(self.reaches, 5, "worker 1 answers")
        self.lab.down()
        left = [name for name in namespaces.all_names() if name.startswith(self.lab.name + "-")]
        self.assertEqual((left, os.path.exists(self.lab.directory)), ([], False))


class Guide(unittest.TestCase):
    lasts = 36

    def test_every_step_of_the_guide_works(self):
        command = [sys.executable, os.path.join(ROOT, "deploy", "lib", "guide.py"), "--check", "--name", "tguide"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
