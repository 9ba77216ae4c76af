"""Has docs/reader/read_export.py read every file of test/vectors/exports.json; prints what it says of each, in JSON."""

import contextlib
import io
import json
import os
import sys
import tempfile

PROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..')
sys.path.insert(0, os.path.join(PROJECT, 'docs', 'reader'))

import read_export  # noqa: E402


def ended(arguments):
    """Returns what it ends with, and what it has printed until then."""
    output = io.TextIOWrapper(io.BytesIO(), encoding='utf-8')
    sys.argv = ['read_export.py', *arguments]
    code = 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        try:
            read_export.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    output.flush()
    return code, output.buffer.getvalue().decode('utf-8')


def main():
    with open(os.path.join(PROJECT, 'test', 'vectors', 'exports.json'), encoding='utf-8') as file:
        vectors = json.load(file)['vectors']
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        export, key = os.path.join(folder, 'export'), os.path.join(folder, 'key.pem')
        for vector in vectors:
            for path, text in ((export, ''.join(vector['file'])), (key, vector['privateKey'])):
                with open(path, 'w', encoding='utf-8', newline='') as file:
                    file.write(text)
            code, output = ended(['--json', export, key])
            results[vector['name']] = {'code': code, 'records': [json.loads(line) for line in output.split('\n') if line]}
    print(json.dumps(results))


main()
