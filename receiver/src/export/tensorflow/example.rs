//! `tf.train.Example` in Protocol Buffers: the messages of TensorFlow's `example.proto` and `feature.proto`.

use std::collections::BTreeMap;

/// An example: features by name.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Example {
    #[prost(message, optional, tag = "1")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Features {
    #[prost(btree_map = "string, message", tag = "1")]
    feature: BTreeMap<String, Feature>,
}

/// A feature: a list of values of one type.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Feature {
    #[prost(oneof = "List", tags = "1, 2, 3")]
    list: Option<List>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum List {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "2")]
    Floats(FloatList),
    #[prost(message, tag = "3")]
    Integers(Int64List),
}

#[derive(Clone, PartialEq, prost::Message)]
struct BytesList {
    #[prost(bytes = "vec", repeated, tag = "1")]
    value: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FloatList {
    #[prost(float, repeated, packed = "true", tag = "1")]
    value: Vec<f32>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Int64List {
    #[prost(int64, repeated, packed = "true", tag = "1")]
    value: Vec<i64>,
}

impl Example {
    /// Adds a feature.
    pub(super) fn insert(&mut self, name: String, feature: Feature) {
        self.features.get_or_insert_default().feature.insert(name, feature);
    }
}

impl Feature {
    /// A single value of bytes.
    pub(super) fn bytes(value: Vec<u8>) -> Self {
        Self { list: Some(List::Bytes(BytesList { value: vec![value] })) }
    }

    /// Single precision numbers.
    pub(super) fn floats(value: Vec<f32>) -> Self {
        Self { list: Some(List::Floats(FloatList { value })) }
    }

    /// Integers.
    pub(super) fn integers(value: Vec<i64>) -> Self {
        Self { list: Some(List::Integers(Int64List { value })) }
    }
}
