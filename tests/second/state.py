"""What records make together (docs/protocol.md section 3): facets, the roster, the state hash."""
from record import ADMIN, ANEW, LIFE, key_id
from wire import BYTES, INT, TEXT, U64, Malformed, be, blake2b, decode, need, read_varint

NODE_TYPE, GRANT_TYPE = 20, 21
FACET_KEY, FACET_PLACE, FACET_STATUS = 10, 11, 14
ACTIVE, REMOVED, REVOKED, NO_LIMIT = 0, 1, 2, U64
KEY = {1: ("key", TEXT), 2: ("id", TEXT)}
PLACE = {1: ("addresses", [TEXT]), 2: ("vrrp", BYTES)}
STATUS = {1: ("status", INT), 2: ("cutoffs", [TEXT])}
NOBODY, DELETED, ALIVE = bytes(16), b"\0", b"\1"


def realm(kind):
    """Nodes and key grants: what other types say under their ids is about something else."""
    return {NODE_TYPE: 2, GRANT_TYPE: 1}.get(kind, 0)


class Entry:
    def __init__(self, record, index, operation):
        self.place = (record.clock, record.stream, record.seq, index)
        self.type, self.owner = operation["type"], operation.get("owner", NOBODY)
        self.value = operation["value"]
        self.by = {}  # what replaced it: stream -> the first seq

    def replace(self, dot):
        self.by.setdefault(*dot)

    def digest(self, thing, facet):
        clock, stream, seq, index = self.place
        return blake2b(thing + be(facet, 2) + be(stream) + be(seq) + be(self.type, 1) + self.owner +
                       be(index, 4) + be(clock) + self.value, 256)


def merge(vector, more):
    for stream, seq in more.items():
        vector[stream] = max(seq, vector.get(stream, 0))


class RosterNode:
    def __init__(self, state, node, key=None):
        self.key, self.status, self.cutoffs, self.told, self.addresses = key, ACTIVE, {}, {}, []
        if state is None:
            return
        keys = state.standing(node, FACET_KEY)
        self.key = read_key(newest(keys).value if keys else b"")
        self.unite(state.standing(node, FACET_STATUS), keys)

    @classmethod
    def of_entries(cls, statuses, keys):
        """As somebody knew it who had these entries."""
        known = cls(None, None)
        if keys:
            known.key = read_key(newest(keys).value)
        known.unite(statuses, keys)
        return known

    def read_place(self, state, node):
        try:
            self.addresses = state.value(node, FACET_PLACE, PLACE)["addresses"]
        except (Malformed, ValueError):
            self.addresses = []  # its default
        return self

    def unite(self, statuses, keys):
        """All entries about the status count: removals that did not know of each other, and new keys."""
        found = [(e.place, *read_status(e.value)) for e in statuses]
        for place, status, cutoffs in found:  # a record that closes its own stream counts itself
            if status != ACTIVE or place[1] in cutoffs:
                merge(cutoffs, {place[1]: place[2]})
        for entry in keys:
            merge(self.told, {entry.place[1]: entry.place[2]})
        removals = [(status, cutoffs) for _, status, cutoffs in found if status != ACTIVE]
        self.status = max([status for status, _ in removals], default=ACTIVE)
        choose = min if self.status == REVOKED else max
        for stream in {s for _, cutoffs in removals for s in cutoffs}:
            self.cutoffs[stream] = choose(cutoffs.get(stream, 0) for _, cutoffs in removals)
        for place, status, cutoffs in found:
            if status == ACTIVE:
                merge(self.told, {place[1]: place[2]})
                for stream, seq in cutoffs.items():
                    if stream in self.cutoffs or not removals:
                        self.cutoffs[stream] = min(seq, self.cutoffs.get(stream, seq))

    def limit(self, stream, key, lifted=0):
        """The last seq of STREAM, opened with the key named KEY, that counts."""
        listed = self.cutoffs.get(stream, 0)
        if self.status == REVOKED:
            return listed
        if self.status == REMOVED:
            return max(listed, lifted)
        if not listed and self.key and key == key_id(self.key):
            return NO_LIMIT
        return listed or self.told.get(stream, 0)


def newest(entries):
    return max(entries, key=lambda e: e.place)


class Root:
    """The root key as the author of records: no node, and one record in each stream."""

    def __init__(self, key):
        self.key = key

    def limit(self, stream, key, lifted=0):
        return 1


def read_status(value):
    """(status, {stream: seq}) of facet 14."""
    found, cutoffs = decode(value, STATUS), {}
    need(found.get("status", ACTIVE) <= REVOKED, "no status")
    for text in found["cutoffs"]:
        stream, seq = text.split("=")
        cutoffs[int(stream, 16)] = int(seq)
    return found.get("status", ACTIVE), cutoffs


def read_key(value):
    key = bytes.fromhex(decode(value, KEY).get("key", ""))
    need(len(key) == 32, "no key")
    return key


class State:
    def __init__(self, genesis):
        self.genesis = genesis
        self.facets = {}    # (object, facet) -> {(stream, seq): Entry}, replaced ones included
        self.contexts = {}  # stream -> vector
        self.limits = {}    # stream -> how far it counts; not in it: no limit
        self.owners = {}    # stream -> (node, key id)

    def apply(self, record):
        """RECORD, whose predecessors and dependencies are here."""
        context = self.contexts.setdefault(record.stream, {})
        merge(context, record.dependencies)

        def knows(dot):
            return dot[1] <= context.get(dot[0], 0) or (dot[0] == record.stream and dot[1] < record.seq)

        mine = (record.stream, record.seq)
        highest = {}
        for operation in record.operations:
            merge(highest, {operation["object"]: realm(operation["type"])})
        anew = {(o["object"], realm(o["type"])) for o in record.operations
                if o["facet"] == LIFE and o.get("flags", 0) & ANEW and o["type"] != NODE_TYPE
                and realm(o["type"]) == highest[o["object"]]}
        for (thing, _), place in self.facets.items() if anew else ():
            for dot, entry in place.items():
                if knows(dot) and ((thing, realm(entry.type)) in anew or (entry.owner, realm(entry.type)) in anew):
                    entry.replace(mine)
        for index, operation in enumerate(record.operations):
            if realm(operation["type"]) < highest[operation["object"]]:
                continue
            if not self.operation_counts(record, operation, context, knows):
                continue
            place = self.facets.setdefault((operation["object"], operation["facet"]), {})
            for dot, entry in place.items():
                if knows(dot) and realm(entry.type) == realm(operation["type"]):
                    entry.replace(mine)
            place[mine] = Entry(record, index, operation)

    def operation_counts(self, record, operation, context, knows):
        """Whoever removes a node or gives it another key lists how far its streams go that are over."""
        node, key, status, cutoffs = operation["object"], None, ACTIVE, {}
        if (operation["type"], operation["facet"]) == (NODE_TYPE, LIFE):
            return operation["value"] == ALIVE and operation.get("owner", NOBODY) == NOBODY
        if operation["type"] != NODE_TYPE or operation["facet"] not in (FACET_KEY, FACET_STATUS):
            return True
        try:
            for other in record.operations:
                if other["object"] == node and other["type"] == NODE_TYPE and other["facet"] == FACET_KEY:
                    key = key_id(read_key(other["value"]))
                elif other["object"] == node and other["type"] == NODE_TYPE and other["facet"] == FACET_STATUS:
                    status, cutoffs = read_status(other["value"])
        except (Malformed, ValueError):
            return False

        def knows_valid(dot):
            return knows(dot) and (dot[0] == record.stream or not self.is_void(dot))

        known = RosterNode.of_entries(*(self.stood_for(knows_valid, node, facet) for facet in (FACET_STATUS, FACET_KEY)))
        for stream, (owner, opened_with) in self.owners.items():
            needed = min(context.get(stream, 0), known.limit(stream, opened_with))
            over = known.status != ACTIVE or status != ACTIVE or (key and key != opened_with) or stream in cutoffs
            if owner == node and stream != record.stream and over and cutoffs.get(stream, 0) < needed:
                return False
        return True

    def stood_for(self, knows, thing, facet):
        """The entries that counted for whoever KNOWS."""
        return [e for dot, e in self.facets.get((thing, facet), {}).items()
                if e.type == NODE_TYPE and knows(dot) and not any(map(knows, e.by.items()))]

    def put(self, record, dead, replaced):
        """RECORD of a snapshot: what is not DEAD provides its value; REPLACED: {operation: dots} that may become void."""
        for index, operation in enumerate(record.operations):
            if index not in dead or index in replaced:
                place = self.facets.setdefault((operation["object"], operation["facet"]), {})
                entry = place[record.stream, record.seq] = Entry(record, index, operation)
                for dot in replaced.get(index, ()):
                    entry.replace(dot)

    # ---- reading ------------------------------------------------------------------------------

    def is_void(self, dot):
        return dot[1] > self.limits.get(dot[0], NO_LIMIT)

    def standing(self, thing, facet):
        """The entries of the object's realm that nothing replaced but what is void."""
        lives = {}
        for entry in self.not_replaced(thing, LIFE):
            lives.setdefault(realm(entry.type), []).append(entry)
        alive = [where for where, entries in lives.items() if is_alive_value(best(LIFE, entries).value)]
        top = max(alive or lives, default=0)  # what is deleted hides nothing
        return [e for e in self.not_replaced(thing, facet) if realm(e.type) == top]

    def not_replaced(self, thing, facet):
        return [e for dot, e in self.facets.get((thing, facet), {}).items()
                if not self.is_void(dot) and all(map(self.is_void, e.by.items()))]

    def counting(self, thing, facet):
        """The entry that counts; None without any."""
        return best(facet, self.standing(thing, facet))

    def value(self, thing, facet, schema):
        entry = self.counting(thing, facet)
        return decode(entry.value if entry else b"", schema)

    def is_alive(self, thing, depth=0):
        life = self.counting(thing, LIFE) if depth < 8 else None
        if not life or not is_alive_value(life.value):
            return False
        return life.owner == NOBODY or self.is_alive(life.owner, depth + 1)

    def objects(self, kind):
        found = {thing for thing, facet in self.facets if facet == LIFE and self.standing(thing, LIFE)}
        return sorted(t for t in found if self.counting(t, LIFE).type == kind and self.is_alive(t))

    def hash(self):
        total = 0
        for thing, facet in self.facets:
            if self.is_alive(thing):
                total += sum(int.from_bytes(e.digest(thing, facet), "big") for e in self.standing(thing, facet))
        return be(total % (1 << 256), 32)

    # ---- the roster ---------------------------------------------------------------------------

    def roster(self):
        """{id: RosterNode}, ascending; before the first record the genesis' first node."""
        found = {}
        if not self.facets:
            return {self.genesis.node: RosterNode(None, self.genesis.node, self.genesis.key)}
        for node in self.objects(NODE_TYPE):
            if node == self.genesis.root_id:
                continue
            try:
                found[node] = RosterNode(self, node).read_place(self, node)
            except (Malformed, ValueError):
                continue  # whoever cannot be read is not in the roster
        return found

    def judged(self, node):
        """What is said of the key and the status of NODE, in the roster or not; None: nobody admitted it."""
        if not self.facets:
            return self.roster().get(node)
        lives = self.standing(node, LIFE)
        known = lives and lives[0].type == NODE_TYPE and self.standing(node, FACET_KEY)
        return RosterNode(self, node) if known else None

    def author(self, node):
        """Whoever signs as NODE: the root key, or what is said of a node, or None."""
        return Root(self.genesis.root) if node == self.genesis.root_id else self.judged(node)

    def key_of(self, node):
        """The public key of NODE, or None."""
        found = self.author(node)
        return found.key if found else None

    def active(self):
        """The ids of all active nodes, ascending."""
        return [node for node, found in self.roster().items() if found.status == ACTIVE]


def is_alive_value(value):
    return len(value) == 1 and value != DELETED


def best(facet, entries):
    """The one of ENTRIES that counts; None without any."""
    if facet == LIFE:
        entries = [e for e in entries if e.value == DELETED] or entries
    elif facet == ADMIN and entries:
        least = min(map(admin_of, entries))
        entries = [e for e in entries if admin_of(e) == least]
    return max(entries, key=lambda e: e.place, default=None)


def admin_of(entry):
    """Its first field, if that is the one; whatever else the value is."""
    try:
        tag, at = read_varint(entry.value, 0)
        return read_varint(entry.value, at)[0] if tag == 1 << 3 else 1
    except Malformed:
        return 1

