"""What others have written, for a terminal."""

import re


def shown(text):
    """Texts of others, for a terminal: no character that moves the cursor or turns the direction of writing."""
    escape = lambda match: f'\\u{ord(match[0]):04x}'
    return re.sub('[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]', escape, text)
