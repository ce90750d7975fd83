"""What a client has sent goes into a log as it is where it is the same, byte for byte, as the commands that are logged."""

import random

from emulator.core.propagation import Listener
from emulator.protocol.client_side import encoded

from .test_server import connect


class Follower(Listener):
    """Keeps what it is told of, and how it would have been encoded."""

    def __init__(self):
        self.data, self.expected, self.commands = b"", b"", 0

    def take(self, unit):
        self.take_each(0, [effect.words for effect in unit], encoded(*(effect.words for effect in unit)))

    def take_each(self, db, commands, data):
        self.commands += len(commands)
        self.expected += encoded(*commands)
        self.data += data


def request(chance):
    """A command as clients send it: most change something, some do not, some fail, some are inline, some are queued."""
    key, value = b"k%d" % chance.randrange(5), b"v" * chance.choice((0, 1, 5, 2000))
    words = chance.choice(
        (
            [b"SET", key, value],
            [b"set", key, value],
            [b"INCR", b"n"],
            [b"RPUSH", b"l", value, key],
            [b"GET", key],
            [b"SET", key, value, b"EX", b"100"],
            [b"DEL", key],
            [b"LPUSH", key, b"wrong type at times"],
            [b"MULTI"],
            [b"EXEC"],
            [b"SELECT", b"%d" % chance.randrange(2)],
            [b"PING"],
        )
    )
    return b" ".join(words) + b"\r\n" if chance.random() < 0.05 and value else encoded(words)


def test_whatever_arrives_together_is_logged_as_it_would_be_encoded(serve):
    async def scenario(server):
        follower = Follower()
        server.engine.propagation.listen(follower)
        reader, writer = await connect(server)
        chance = random.Random(7)
        for round in range(100):
            sent = b"".join(request(chance) for _ in range(chance.choice((1, 1, 3, 16, 300))))
            while sent:
                length = chance.choice((len(sent), len(sent), chance.randint(1, 100)))
                writer.write(sent[:length])
                await writer.drain()
                sent = sent[length:]
            writer.write(encoded([b"DISCARD"], [b"ECHO", b"end of %d" % round]))
            while b"end of %d" % round not in await reader.readline():
                pass
        writer.close()
        assert follower.commands > 500
        assert follower.data == follower.expected

    serve(scenario)


def test_a_pipeline_is_not_encoded_again(serve):
    async def scenario(server):
        told = []

        class Kept(Follower):
            def take_each(self, db, commands, data):
                told.append(data)

        server.engine.propagation.listen(Kept())
        reader, writer = await connect(server)
        writer.write(encoded([b"SET", b"k", b"v"]))  # what is called for the first time takes the long way
        await reader.readline()
        told.clear()
        sent = encoded(*([b"SET", b"k%d" % number, b"v"] for number in range(50)))
        writer.write(sent)
        for _ in range(50):
            await reader.readline()
        writer.close()
        assert told == [sent]

    serve(scenario)
