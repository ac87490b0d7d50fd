//! Attributes of files, groups and datasets.

use std::str::FromStr;

use hdf5::types::VarLenUnicode;
use hdf5::{H5Type, Location};

/// Writes an attribute that is not there yet.
pub(crate) fn create<T: H5Type>(place: &Location, name: &str, value: &T) -> hdf5::Result<()> {
    place.new_attr::<T>().create(name)?.write_scalar(value)
}

/// Writes an attribute that is there.
pub(crate) fn rewrite<T: H5Type>(place: &Location, name: &str, value: &T) -> hdf5::Result<()> {
    place.attr(name)?.write_scalar(value)
}

/// Writes a text attribute, whether it is there or not. HDF5's strings end at a NUL.
pub(crate) fn write_text(place: &Location, name: &str, text: &str) -> hdf5::Result<()> {
    let text = VarLenUnicode::from_str(text.split('\0').next().unwrap_or_default()).unwrap_or_default();
    match place.attr(name) {
        Ok(attribute) => attribute.write_scalar(&text),
        Err(_) => create(place, name, &text),
    }
}
