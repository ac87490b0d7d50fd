"""Tokenizes the MIDI files of an export with MidiTok, and compares the ids with those of an export `tokens`.

Usage: miditok_reference.py FOLDER. FOLDER has the files of both exports. Exit status 77: MidiTok is missing.
"""

import json
import sys
from pathlib import Path

try:
    import miditok
except ImportError as error:
    print(f"this Python has no {error.name}")
    sys.exit(77)


def main(root):
    tokenizer = miditok.REMI(params=root / "tokenizer.json")
    names = sorted(tokenizer.vocab, key=tokenizer.vocab.get)
    assert names == json.loads((root / "vocabulary.json").read_text()), "another vocabulary"
    files, tokens, kinds = 0, 0, set()
    for list_of_ids in root.glob("*.jsonl"):
        for line in list_of_ids.open(encoding="utf-8"):
            sequence = json.loads(line)
            midi = root / sequence["split"] / f"{sequence['id']}.mid"
            theirs, ours = tokenizer(midi).ids, sequence["ids"]
            if ours != theirs:
                at = next((n for n, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
                show = lambda ids: " ".join(names[id] for id in ids[max(0, at - 8) : at + 8])
                sys.exit(f"{midi}: token {at} differs\nours    {show(ours)}\nMidiTok {show(theirs)}")
            files, tokens = files + 1, tokens + len(ours)
            kinds |= {names[id].split("_")[0] for id in ours}
    assert files == len(list(root.glob("*/*.mid"))) > 0
    print(f"{files} files: {tokens} tokens ({', '.join(sorted(kinds))}) are those of MidiTok")


main(Path(sys.argv[1]))
