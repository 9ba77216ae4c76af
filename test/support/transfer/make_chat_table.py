"""Rows as a Django application would have them that keeps one RSA key per conversation and encrypts each body with it.

Prints JSON: conversations, messages and users. The plain text of each message is printed beside its row, for the test.
"""

import base64
import json
import sys
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
# What one block of RSA-2048 holds: 256 - 2 * 32 - 2.
BLOCK = 190
USERS = ["ada", "grace", "katherine"]


def encrypt(key, text):
    data = text.encode()
    blocks = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
    return base64.b64encode(b"".join(key.encrypt(block, OAEP) for block in blocks)).decode()


def main(conversations, messages):
    began = datetime(2021, 3, 4, 5, 6, 7, 890123, tzinfo=timezone.utc)
    keys = []
    rows = {"users": [], "conversations": [], "messages": []}
    for index, name in enumerate(USERS):
        rows["users"].append({"id": index + 1, "username": name, "first_name": name.title()})
    for index in range(conversations):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        keys.append(key)
        # Both of the forms that such applications write.
        form = serialization.PrivateFormat.TraditionalOpenSSL if index % 2 else serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        rows["conversations"].append({"id": index + 1, "title": f"Room {index + 1}", "private_key": pem.decode()})
    for index in range(messages):
        conversation = index % conversations
        text = f"message {index} é🙂\n" + "long " * (index % 60)
        rows["messages"].append(
            {
                "id": index + 1,
                "conversation_id": conversation + 1,
                "sender_id": index % len(USERS) + 1,
                "body": encrypt(keys[conversation].public_key(), text),
                # Two by two at the same moment: their ids decide.
                "created_at": (began + timedelta(seconds=index // 2)).isoformat(),
                "plain": text,
            }
        )
    json.dump(rows, sys.stdout)


main(int(sys.argv[1]), int(sys.argv[2]))
