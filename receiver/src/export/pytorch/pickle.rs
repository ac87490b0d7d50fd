//! What `torch.load` needs of Python's pickle format, protocol 2.
//!
//! A pickle is a program for a machine with a stack: each call here appends instructions that leave one more object on it.
//! The instructions and their bytes are those of Python's `pickletools`; of these, only such as the unpickler of
//! `torch.load(weights_only=True)` knows.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Kind, Tensor};

/// A pickle of a list of dictionaries, being written.
#[derive(Debug, Default)]
pub(super) struct Pickle {
    bytes: Vec<u8>,
    /// Where objects that occur again are kept: keys of dictionaries, and Python's functions and classes.
    memo: HashMap<String, u32>,
}

impl Pickle {
    /// An empty list.
    pub(super) fn list() -> Self {
        const PROTOCOL_2: [u8; 2] = [0x80, 2];
        const EMPTY_LIST: u8 = b']';
        Self { bytes: [&PROTOCOL_2[..], &[EMPTY_LIST]].concat(), memo: HashMap::new() }
    }

    /// Appends the object to the list below it.
    pub(super) fn append(&mut self) {
        self.bytes.push(b'a');
    }

    /// An empty dictionary; keys and values follow.
    pub(super) fn begin_dictionary(&mut self) {
        self.bytes.push(b'}');
        self.mark();
    }

    /// Puts the keys and values since [`Pickle::begin_dictionary`] into it.
    pub(super) fn end_dictionary(&mut self) {
        self.bytes.push(b'u');
    }

    /// A text that occurs again and again; it is written once.
    pub(super) fn key(&mut self, text: &str) {
        self.once(text.to_owned(), |pickle| pickle.text(text));
    }

    /// A dictionary of what JSON knows.
    pub(super) fn dictionary(&mut self, map: &Map<String, Value>) {
        self.begin_dictionary();
        for (key, value) in map {
            self.key(key);
            self.value(value);
        }
        self.end_dictionary();
    }

    /// A tensor on the CPU, its values in the archive's entry `data/KEY`.
    pub(super) fn tensor(&mut self, tensor: &Tensor, key: &str) {
        let (storage, size) = match tensor.field.kind {
            Kind::Float32 => ("FloatStorage", size_of::<f32>()),
            Kind::Int64 => ("LongStorage", size_of::<i64>()),
            Kind::Uint8 => ("ByteStorage", size_of::<u8>()),
        };
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.mark();
        self.mark();
        self.key("storage");
        self.global("torch", storage);
        self.text(key);
        self.key("cpu");
        self.size(tensor.bytes.len() / size);
        self.tuple();
        self.persistent();
        let (offset, requires_grad) = (0, false);
        self.size(offset);
        self.sizes(&tensor.shape);
        self.sizes(&strides(&tensor.shape));
        self.boolean(requires_grad);
        self.no_hooks();
        self.tuple();
        self.reduce();
    }

    /// The pickle, complete.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(b'.');
        self.bytes
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes.push(b'N'),
            Value::Bool(value) => self.boolean(*value),
            Value::Number(number) => match number.as_i128() {
                Some(integer) => self.integer(integer),
                None => self.float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => self.text(text),
            Value::Array(values) => {
                self.bytes.push(b']');
                self.mark();
                values.iter().for_each(|value| self.value(value));
                self.bytes.push(b'e');
            }
            Value::Object(map) => self.dictionary(map),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.bytes.push(if value { 0x88 } else { 0x89 });
    }

    fn integer(&mut self, value: i128) {
        // Nine bytes hold every number of JSON that is an integer, with its sign.
        const LONG_BYTES: usize = 9;
        match i32::try_from(value) {
            Ok(value) => {
                self.bytes.push(b'J');
                self.bytes.extend(value.to_le_bytes());
            }
            Err(_) => {
                self.bytes.extend([0x8A, LONG_BYTES as u8]);
                self.bytes.extend(&value.to_le_bytes()[..LONG_BYTES]);
            }
        }
    }

    fn float(&mut self, value: f64) {
        self.bytes.push(b'G');
        self.bytes.extend(value.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes.push(b'X');
        // Texts come from datagrams: none is near 4 GiB.
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.as_bytes());
    }

    fn size(&mut self, size: usize) {
        self.integer(size as i128);
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.mark();
        sizes.iter().for_each(|&size| self.size(size));
        self.tuple();
    }

    /// The tensor's backward hooks: an `OrderedDict` of none.
    fn no_hooks(&mut self) {
        self.global("collections", "OrderedDict");
        self.bytes.push(b')');
        self.reduce();
    }

    /// A function or class of Python.
    fn global(&mut self, module: &str, name: &str) {
        let instruction = format!("c{module}\n{name}\n");
        self.once(instruction.clone(), |pickle| pickle.bytes.extend(instruction.bytes()));
    }

    /// The begin of a tuple, list or dictionary.
    fn mark(&mut self) {
        self.bytes.push(b'(');
    }

    /// A tuple of everything since the last mark.
    fn tuple(&mut self) {
        self.bytes.push(b't');
    }

    /// What the function below makes of the tuple above.
    fn reduce(&mut self) {
        self.bytes.push(b'R');
    }

    /// What the reader makes of the tuple: here, the storage that it names.
    fn persistent(&mut self) {
        self.bytes.push(b'Q');
    }

    /// An object that `write` makes at its first occurrence, and that is taken from the memo from then on.
    fn once(&mut self, name: String, write: impl FnOnce(&mut Self)) {
        if let Some(place) = self.memo.get(&name) {
            self.bytes.push(b'j');
            self.bytes.extend(place.to_le_bytes());
        } else {
            write(self);
            let place = self.memo.len() as u32;
            self.bytes.push(b'r');
            self.bytes.extend(place.to_le_bytes());
            self.memo.insert(name, place);
        }
    }
}

/// Values from one item to the next along each axis, the last axis running fastest.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}
