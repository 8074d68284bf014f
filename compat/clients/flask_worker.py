"""A Celery worker and a Flask server, as the message queue sees them. Each line on standard input is Python to run."""

import base64
import sys
import threading

import redis
import socketio
from flask_socketio import SocketIO

url = sys.argv[1]
# A worker only writes.
worker = SocketIO(message_queue=url)
# A server listens, too: it gets the answers to its callbacks.
server = socketio.Server(client_manager=socketio.RedisManager(url, channel="flask-socketio"), async_mode="threading")
server.manager.initialize()
channel = redis.Redis.from_url(url)


def ask(sid):
    """Emits with a callback, and returns what the client answers."""
    answered, answer = threading.Event(), []

    def keep(*args):
        answer.extend(args)
        answered.set()

    server.emit("ask", {"q": 1}, to=sid, callback=keep)
    assert answered.wait(20), "no answer within 20 s"
    return answer


def publish(encoded):
    channel.publish("flask-socketio", base64.b64decode(encoded))


# Until its own subscription stands, an answer would be lost.
while channel.pubsub_numsub("flask-socketio")[0][1] < int(sys.argv[2]):
    threading.Event().wait(0.05)
print("ready", flush=True)
for line in sys.stdin:
    try:
        result = eval(line)
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    print(result, flush=True)
