"""Which types HDF5 files are made of: no dataset may have one that MATLAB, and other readers without plug-ins, do not take.

usage: plain_types.py FILE...

Datasets are integers, floats, texts of fixed length, or records of those and of short rows of floats: no opaque bytes, nothing of variable length,
no enumerations, references or further nesting. Attributes are single numbers or texts; a text may be of variable length. Filters are
shuffle and gzip. The file's own format is the oldest. Ends with status 0 if all holds, else with 1 and what does not.
"""

import sys

import h5py
from h5py import h5t, h5z


def plain(kind, inside=False):
    """Why a type is not plain; nothing if it is."""
    group = kind.get_class()
    if group in (h5t.INTEGER, h5t.FLOAT):
        return ["is big-endian"] if kind.get_order() != h5t.ORDER_LE else []
    if group == h5t.STRING:
        return ["is a text of variable length"] if kind.is_variable_str() else []
    if group == h5t.ARRAY and inside and len(kind.get_array_dims()) == 1:
        return plain(kind.get_super())
    if group == h5t.COMPOUND and not inside:
        members = [(kind.get_member_name(i).decode(), kind.get_member_type(i)) for i in range(kind.get_nmembers())]
        return [f"{name} {why}" for name, member in members for why in plain(member, True)]
    return [f"is of HDF5's class {group}"]


def attribute(kind, shape):
    """The same of an attribute."""
    if shape != ():
        return [f"has the shape {shape}"]
    return [] if kind.get_class() == h5t.STRING else plain(kind)


def dataset(found):
    """The same of a dataset, and of how it is stored."""
    wrong = plain(found.id.get_type())
    stored = found.id.get_create_plist()
    filters = {stored.get_filter(i)[0] for i in range(stored.get_nfilters())}
    if not filters <= {h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE}:
        wrong.append(f"is stored with the filters {filters}")
    return wrong


def check(path):
    """What is not plain in a file, and how many datasets and attributes were looked at."""
    wrong, count = [], [0, 0]
    with h5py.File(path, locking=False) as file:
        if (version := file.id.get_create_plist().get_version()[0]) != 0:
            wrong.append(f"the superblock is of version {version}")

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                count[0] += 1
                wrong.extend(f"/{name} {why}" for why in dataset(item))
            for key in item.attrs:
                count[1] += 1
                found = item.attrs.get_id(key)
                wrong.extend(f"/{name} {key} {why}" for why in attribute(found.get_type(), found.shape))

        visit("", file)
        file.visititems(visit)
    return wrong, count


failed = False
for path in sys.argv[1:]:
    wrong, (datasets, attributes) = check(path)
    failed |= bool(wrong) or datasets == 0
    print(f"{path}: {datasets} datasets, {attributes} attributes")
    print("".join(f"  NOT PLAIN  {why}\n" for why in wrong), end="")
sys.exit(failed or len(sys.argv) < 2)
