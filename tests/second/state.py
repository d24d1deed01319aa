"""What records make together (docs/protocol.md section 3): facets, the roster, the state hash."""
from record import ADMIN, ANEW, LIFE
from wire import BYTES, INT, TEXT, U64, Malformed, be, blake2b, decode, need, read_varint

NODE_TYPE = 20
FACET_KEY, FACET_PLACE, FACET_STATUS = 10, 11, 14
ACTIVE, NO_LIMIT = 0, U64
KEY = {1: ("key", TEXT), 2: ("id", TEXT)}
PLACE = {1: ("addresses", [TEXT]), 2: ("vrrp", BYTES)}
STATUS = {1: ("status", INT), 2: ("cutoffs", [TEXT])}
NOBODY, DELETED = bytes(16), b"\0"


class Entry:
    def __init__(self, record, index, operation):
        self.place = (record.clock, record.stream, record.seq, index)
        self.type, self.owner = operation["type"], operation.get("owner", NOBODY)
        self.value = operation["value"]

    def digest(self, thing, facet):
        clock, stream, seq, index = self.place
        return blake2b(thing + be(facet, 2) + be(stream) + be(seq) + be(self.type, 1) + self.owner +
                       be(index, 4) + be(clock) + self.value, 256)


def merge(vector, more):
    for stream, seq in more.items():
        vector[stream] = max(seq, vector.get(stream, 0))


class RosterNode:
    def __init__(self, state, node, key=None):
        self.key, self.status, self.cutoffs, self.addresses = key, ACTIVE, {}, []
        if state is None:
            return
        self.key = bytes.fromhex(state.value(node, FACET_KEY, KEY).get("key", ""))
        need(len(self.key) == 32, "no key")
        self.addresses = state.value(node, FACET_PLACE, PLACE)["addresses"]
        found = state.value(node, FACET_STATUS, STATUS)
        self.status = found.get("status", ACTIVE)
        for text in found["cutoffs"]:
            stream, seq = text.split("=")
            self.cutoffs[int(stream, 16)] = int(seq)

    def limit(self, stream):
        """The last seq of STREAM that counts."""
        return NO_LIMIT if self.status == ACTIVE else self.cutoffs.get(stream, 0)


class State:
    def __init__(self, genesis):
        self.genesis = genesis
        self.facets = {}    # (object, facet) -> {(stream, seq): Entry}
        self.contexts = {}  # stream -> vector

    def apply(self, record):
        """RECORD, whose predecessors and dependencies are here."""
        context = self.contexts.setdefault(record.stream, {})
        merge(context, record.dependencies)

        def knows(dot):
            return dot[1] <= context.get(dot[0], 0) or (dot[0] == record.stream and dot[1] < record.seq)

        anew = {o["object"] for o in record.operations if o["facet"] == LIFE and o.get("flags", 0) & ANEW}
        for (thing, _), place in self.facets.items() if anew else ():
            for dot in [d for d, e in place.items() if knows(d) and (thing in anew or e.owner in anew)]:
                del place[dot]
        for index, operation in enumerate(record.operations):
            place = self.facets.setdefault((operation["object"], operation["facet"]), {})
            for dot in filter(knows, list(place)):
                del place[dot]
            place[record.stream, record.seq] = Entry(record, index, operation)

    def put(self, record, dead):
        """RECORD of a snapshot: what is not DEAD provides its value."""
        for index, operation in enumerate(record.operations):
            if index not in dead:
                place = self.facets.setdefault((operation["object"], operation["facet"]), {})
                place[record.stream, record.seq] = Entry(record, index, operation)

    # ---- reading ------------------------------------------------------------------------------

    def counting(self, thing, facet):
        """The entry that counts; None without any."""
        entries = list(self.facets.get((thing, facet), {}).values())
        if facet == LIFE:
            entries = [e for e in entries if e.value == DELETED] or entries
        elif facet == ADMIN and entries:
            least = min(map(admin_of, entries))
            entries = [e for e in entries if admin_of(e) == least]
        return max(entries, key=lambda e: e.place, default=None)

    def value(self, thing, facet, schema):
        entry = self.counting(thing, facet)
        return decode(entry.value if entry else b"", schema)

    def is_alive(self, thing, depth=0):
        life = self.counting(thing, LIFE) if depth < 8 else None
        if not life or len(life.value) != 1 or life.value == DELETED:
            return False
        return life.owner == NOBODY or self.is_alive(life.owner, depth + 1)

    def objects(self, kind):
        found = {thing for (thing, facet), entries in self.facets.items() if facet == LIFE and entries}
        return sorted(t for t in found if self.counting(t, LIFE).type == kind and self.is_alive(t))

    def hash(self):
        total = 0
        for (thing, facet), entries in self.facets.items():
            if self.is_alive(thing):
                total += sum(int.from_bytes(e.digest(thing, facet), "big") for e in entries.values())
        return be(total % (1 << 256), 32)

    # ---- the roster ---------------------------------------------------------------------------

    def roster(self):
        """{id: RosterNode}, ascending; the genesis' first node while there is none."""
        found = {}
        for node in self.objects(NODE_TYPE):
            try:
                found[node] = RosterNode(self, node)
            except (Malformed, ValueError):
                continue  # whoever cannot be read is not in the roster
        return found or {self.genesis.node: RosterNode(None, self.genesis.node, self.genesis.key)}

    def key_of(self, node):
        """The public key of NODE, or None."""
        found = self.roster().get(node)
        return found.key if found else None

    def active(self):
        """The ids of all active nodes, ascending."""
        return [node for node, found in self.roster().items() if found.status == ACTIVE]


def admin_of(entry):
    """Its first field, if that is the one; whatever else the value is."""
    try:
        tag, at = read_varint(entry.value, 0)
        return read_varint(entry.value, at)[0] if tag == 1 << 3 else 1
    except Malformed:
        return 1

