"""The decoders of the second implementation (tests/second) against the seeds of our fuzz targets: both take, and
refuse, the same bytes."""
import glob
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEEDS = os.path.join(ROOT, "tests", "fuzz", "seeds")
sys.path.insert(0, os.path.join(ROOT, "tests", "second"))
try:
    import frames
    import join
    import oddities
    import record
    import snapshot
    import wire
    HAS_KEYS = True
except ImportError:
    HAS_KEYS = False


def seed(*place):
    with open(os.path.join(SEEDS, *place), "rb") as file:
        return file.read()


def names(folder):
    return sorted(os.path.basename(path) for path in glob.glob(os.path.join(SEEDS, folder, "*")))


@unittest.skipUnless(HAS_KEYS, "needs python3-cryptography")
class SecondDecoders(unittest.TestCase):
    longMessage = True

    def test_each_frame_is_read_and_written_again_as_it_was(self):
        for name in names("gossip_frame"):
            data = seed("gossip_frame", name)
            body = frames.frame_body(data[0], data[1:])
            self.assertIsNotNone(body, name)
            if name in ("ack", "heartbeat", "heartbeat_sources", "pull_end", "switch", "probe"):
                self.assertEqual(wire.encode(frames.BODIES[data[0]], body), data[1:], name)

    def test_the_fields_of_a_heartbeat_are_those_that_the_seed_is_made_of(self):
        body = frames.frame_body(frames.HEARTBEAT, seed("gossip_frame", "heartbeat_sources")[1:])
        self.assertEqual((body["echo"], body["hears"], body["roster"]), (4000000, 3, 12345))
        claim = body["claims"][0]
        self.assertEqual((claim["vrid"], claim["state"], claim["hindrance"], claim["source"]), (7, 2, 1, 1))
        self.assertEqual(body["sources"][0], bytes([192, 0, 2, 2]))

    def test_packets_hold_the_frames_that_their_names_tell(self):
        found = {}
        for name in names("packet"):
            data = seed("packet", name)
            found[name] = [kind for kind, _ in frames.Packet(data, data[3]).frames()]
        self.assertEqual(found, {"empty_stream_hello": [], "heartbeat": [frames.HEARTBEAT],
                                 "two_frames": [frames.VV, frames.ACK]})

    def test_records_are_read(self):
        first, follower = (record.Record(seed("record", name)) for name in ("first", "follower"))
        self.assertEqual((first.seq, first.dependencies, first.who["principal"]), (1, {0x22: 4}, "ann"))
        self.assertEqual(follower.stream, 7)
        self.assertIsNone(follower.node)

    def test_odd_records_are_records_and_wrong_ones_are_not(self):
        parts = oddities.parts_of(stream=9, seq=2, previous=bytes(32), clock=1, wall=1, kind=1, change=bytes(16))
        oddities.is_record(oddities.body_of(parts))
        for name, changed in oddities.odd(9, 3):
            with self.subTest(name):
                oddities.is_record(oddities.body_of({**parts, **changed}))
        for name, body in oddities.wrong(parts):
            if name not in oddities.NOT_BY_FORM:
                with self.subTest(name):
                    self.assertRaises(wire.Malformed, oddities.is_record, body)

    def test_a_packet_that_is_cut_off_anywhere_is_refused_or_holds_less(self):
        data = seed("packet", "two_frames")
        for size in range(len(data)):
            try:
                self.assertLess(len(frames.Packet(data[:size], data[3]).frames()), 2, size)
            except wire.Malformed:
                continue

    def test_join_messages_and_tokens_are_read(self):
        kinds = {name: join.parse(seed("join_message", name))[0] for name in names("join_message")}
        self.assertEqual(kinds, {"facts": join.CONFIRM, "hello": join.HELLO, "welcome": join.WELCOME})
        tokens = [join.Token(seed("join_token", name).decode()) for name in names("join_token")]
        self.assertEqual([(token.address, token.port) for token in tokens], [("10.77.0.1", 7850), ("fd77::1", 7850)])

    def receive(self, data):
        """The snapshot in a seed: a byte of the fuzz target, a genesis after its length, the parts."""
        size, at = wire.read_varint(data, 1)
        received = snapshot.Snapshot(record.Genesis(data[at:at + size]))
        for kind, body in frames.frames(data[at + size:]):
            received.take(kind, body)
        return received

    def test_a_whole_snapshot_has_the_state_hash_that_it_says(self):
        received = self.receive(seed("snapshot_stream", "whole"))
        self.assertTrue(received.done)
        self.assertEqual(sum(received.log.vector().values()), 5)
        self.assertEqual(len(received.log.state.active()), 2)

    def test_what_is_wrong_with_a_snapshot_is_noticed(self):
        self.assertRaisesRegex(wire.Malformed, "forged", self.receive, seed("snapshot_stream", "wrong_signature"))
        self.assertRaisesRegex(wire.Malformed, "a gap", self.receive, seed("snapshot_stream", "record_missing"))
        for name in names("snapshot_stream"):
            if name != "whole":
                with self.subTest(name):
                    self.assertRaises(wire.Malformed, self.receive, seed("snapshot_stream", name))


TYPES = {"BOOL": "bool", "INTEGER": "integer", "TEXT": "text", "ID": "id", "ADDRESS": "address", "TEXT_LIST": "texts",
         "TEXT_MAP": "map", "SEALED": "box"}
FACETS = {"FACET_META": 1, "FACET_ADMIN": 2, "FACET_CREATION": 3}
ROW = re.compile(r'\{\.name = "(\w+)",(.*?)\.help =', re.S)
CHOICES = re.compile(r"static const char \*const (\w+)\[\] = \{(.*?)\};", re.S)


def text_of(*place):
    with open(os.path.join(ROOT, *place), encoding="utf-8") as file:
        return file.read()


def rows_of_source(text, kind):
    """{(type, facet, tag, name, how it is written)} of the field rows in TEXT; owners are none of a facet."""
    choices = {name: re.findall(r'"([\w-]+)"', words) for name, words in CHOICES.findall(text)}
    found = set()
    for name, rest in ROW.findall(text):
        said = dict(re.findall(r"\.(type|facet|tag|choices) = (\w+)", rest))
        if "FIELD_OWNER" in rest:
            continue
        how = TYPES.get(said["type"][len("FIELD_"):]) or "(%s)" % ", ".join(
            "%d %s" % pair for pair in enumerate(choices[said["choices"]]))
        found.add((kind, int(FACETS.get(said["facet"], said["facet"])), int(said["tag"]), name, how))
    return found


class DocumentedFields(unittest.TestCase):
    def test_the_document_has_the_fields_of_the_source_and_no_others(self):
        types = dict(re.findall(r"RESOURCE_(\w+) = (\d+)", text_of("lbnode", "model", "resource.h")))
        source = rows_of_source(text_of("lbnode", "model", "field_rows.h").replace("\\\n", "\n"), "all")
        for path in glob.glob(os.path.join(ROOT, "lbnode", "model", "*_fields.c")):
            text = text_of(path)
            kind = types[re.search(r"\.type = RESOURCE_(\w+),", text)[1]]
            noun = re.search(r'\.noun = "(\w+)"', text)[1]
            source |= rows_of_source(text, "%s %s" % (kind, noun))
        document = text_of("docs", "protocol.md").split("## 10 ")[1]
        said = set()
        for kind, facet, fields in re.findall(r"^\| (all|\d+ \w+) \| (\d+) \| (.*) \|$", document, re.M):
            for tag, name, how in re.findall(r"(\d+) `(\w+)` (\w+|\(.*?\))(?:; |$)", fields):
                said.add((kind, int(facet), int(tag), name, how))
        self.assertGreater(len(source), 60)
        self.assertEqual(said, source)


if __name__ == "__main__":
    unittest.main()
