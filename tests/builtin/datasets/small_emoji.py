"""Small packages of emoji, of their pictures and keywords, in the layout that npm unpacks them to."""

import json

import dataset_layouts as layouts

GROUPS = ["cat-face", "drink", "flag", "heart", "music", "phone", "plant-flower", "sound", "time", "weather"]


def described(number):
    return {
        "name": None if number == 3 else f"SIGN: NUMBER-{number}",
        "short_name": f"sign_{number}_extra",
        "image": f"1f{number:03x}-fe0f.png",
        "category": "Things" if number % 2 else "Symbols",
        "subcategory": GROUPS[number % len(GROUPS)],
        "has_img_google": True,
        "has_img_twitter": True,
    }


def write_packages(root):
    """The two packages of pictures, of twenty emoji, and that of keywords, which knows all but number 7; their folder below `root`."""
    for place, style in enumerate(("google", "twitter")):
        folder = root / "emoji" / f"emoji-datasource-{style}"
        rows = [described(n) for n in range(20)]
        for n, row in enumerate(rows):
            layouts.put(folder / f"img/{style}/64" / row["image"], layouts.picture([14, place, n]))
        (folder / "emoji.json").write_text(json.dumps(rows))
    known = {chr(0x1F000 + n) + ("\ufe0f" if n % 2 else ""): [f"sign_{n}", "happy", f"word{n}"] for n in range(20) if n != 7}
    (root / "emoji/emojilib/dist").mkdir(parents=True)
    (root / "emoji/emojilib/dist/emoji-en-US.json").write_text(json.dumps(known))
    return root / "emoji"
