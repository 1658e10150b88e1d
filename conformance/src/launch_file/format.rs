//! The launch file as serde sees it: every key, nothing interpreted yet. `LAUNCH.md` is its documentation.
//!
//! Unknown keys are errors. Values whose range is checked later are `Spanned`, so that the check can name
//! line and column. Enumerations by table key (`init = { random = .. }`) are structs of options instead of
//! serde enums: an untagged enum would lose the place of an error inside it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor, value::MapAccessDeserializer};
use toml::Spanned;

use super::number::Number;

/// A table in which the order of the file is kept by the spans of the keys.
pub(super) type Named<T> = BTreeMap<Spanned<String>, Spanned<T>>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchTable {
    pub slots: Option<Spanned<Number>>,
    #[serde(default)]
    pub buffers: Named<BufferTable>,
    pub dispatch: Option<Spanned<Vec<Spanned<DispatchTable>>>>,
    // The keys of a launch with one dispatch; serde's `flatten` would lose unknown keys and spans.
    pub module: Option<Spanned<String>>,
    pub entry: Option<Spanned<String>>,
    pub grid: Option<Spanned<Vec<Number>>>,
    pub workgroup: Option<Spanned<Vec<Number>>>,
    pub dynamic_workgroup_bytes: Option<Spanned<Number>>,
    pub bind: Option<Spanned<Named<BindValue>>>,
    pub parameters: Option<Spanned<Parameters>>,
    #[serde(default)]
    pub constants: Named<Number>,
    #[serde(default)]
    pub scalars: Named<ScalarTable>,
}

/// One `[[dispatch]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchTable {
    pub module: Option<Spanned<String>>,
    pub entry: Option<Spanned<String>>,
    pub grid: Option<Spanned<Vec<Number>>>,
    pub workgroup: Option<Spanned<Vec<Number>>>,
    pub dynamic_workgroup_bytes: Option<Spanned<Number>>,
    pub bind: Option<Spanned<Named<BindValue>>>,
    pub parameters: Option<Spanned<Parameters>>,
    #[serde(default)]
    pub constants: Named<Number>,
    #[serde(default)]
    pub scalars: Named<ScalarTable>,
}

/// One `[buffers.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BufferTable {
    pub dtype: Option<Spanned<String>>,
    pub shape: Option<Spanned<Vec<Number>>>,
    pub strides: Option<Spanned<Vec<Number>>>,
    pub init: Option<Spanned<Init>>,
    #[serde(default)]
    pub patch: Vec<Spanned<PatchTable>>,
    #[serde(default)]
    pub output: bool,
    #[serde(rename = "virtual")]
    pub is_virtual: Option<Spanned<bool>>,
    #[serde(default)]
    pub may_race: Vec<Spanned<MayRaceTable>>,
    pub binding: Option<Spanned<Vec<Number>>>,
    pub parameter: Option<Spanned<Number>>,
    pub range: Option<Spanned<Vec<Number>>>,
}

/// One element of `may_race`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MayRaceTable {
    pub bytes: Option<Spanned<Vec<Number>>>,
    pub elements: Option<Spanned<Vec<Number>>>,
    pub reason: Spanned<String>,
}

/// One element of `patch`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchTable {
    pub elements: Spanned<Vec<Number>>,
    pub init: Spanned<Init>,
}

/// The value of `init`: a word or a table.
#[derive(Debug)]
pub(super) enum Init {
    Word(String),
    Table(Box<InitTable>),
}

/// The table form of `init`: exactly one of the keys but `tensor`, which belongs to `file`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InitTable {
    pub value: Option<Spanned<Number>>,
    pub values: Option<Spanned<Vec<Spanned<Number>>>>,
    pub iota: Option<Spanned<IotaTable>>,
    pub random: Option<Spanned<RandomTable>>,
    pub file: Option<Spanned<String>>,
    pub tensor: Option<Spanned<String>>,
}

/// `iota = { .. }`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IotaTable {
    pub start: Option<Spanned<Number>>,
    pub step: Option<Spanned<Number>>,
    pub modulo: Option<Spanned<Number>>,
}

/// `random = { .. }`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RandomTable {
    pub seed: Option<Spanned<Number>>,
    pub scale: Option<Spanned<Number>>,
    pub low: Option<Spanned<Number>>,
    pub high: Option<Spanned<Number>>,
}

/// One value of `bind`: a buffer's name, or a table.
#[derive(Clone, Debug)]
pub(super) enum BindValue {
    Name(String),
    Table(Box<BindTable>),
}

/// The table form of a binding.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BindTable {
    pub buffer: Spanned<String>,
    pub binding: Option<Spanned<Vec<Number>>>,
    pub parameter: Option<Spanned<Number>>,
    pub range: Option<Spanned<Vec<Number>>>,
}

/// The list of a kernel's parameters, in order.
pub(super) type Parameters = Vec<Spanned<ParameterValue>>;

/// One parameter: the name of a buffer or a scalar, or a table.
#[derive(Clone, Debug)]
pub(super) enum ParameterValue {
    Name(String),
    Table(Box<ParameterTable>),
}

/// The table form of a parameter: a buffer with its range, or a scalar.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterTable {
    pub buffer: Option<Spanned<String>>,
    pub range: Option<Spanned<Vec<Number>>>,
    pub dtype: Option<Spanned<String>>,
    pub value: Option<Spanned<OneOrMany>>,
    pub fields: Option<Spanned<Vec<Spanned<FieldTable>>>>,
}

/// One scalar or uniform block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScalarTable {
    pub dtype: Option<Spanned<String>>,
    pub value: Option<Spanned<OneOrMany>>,
    pub fields: Option<Spanned<Vec<Spanned<FieldTable>>>>,
    pub binding: Option<Spanned<Vec<Number>>>,
    pub parameter: Option<Spanned<Number>>,
}

/// One member of a uniform block.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldTable {
    pub dtype: Spanned<String>,
    pub value: Spanned<OneOrMany>,
    pub offset: Option<Spanned<Number>>,
}

/// A number or a list of numbers.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany(pub Vec<Number>);

struct WordOrTable<W, T> {
    expecting: &'static str,
    word: fn(String) -> W,
    table: fn(T) -> W,
}

impl<'de, W, T: Deserialize<'de>> Visitor<'de> for WordOrTable<W, T> {
    type Value = W;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<W, E> {
        Ok((self.word)(word.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<W, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(self.table)
    }
}

impl<'de> Deserialize<'de> for Init {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTable {
            expecting: "`zeros`, `uninitialised`, `iota`, `random`, or a table with one of value, values, iota, random, file",
            word: Self::Word,
            table: |table: InitTable| Self::Table(Box::new(table)),
        })
    }
}

impl<'de> Deserialize<'de> for BindValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTable {
            expecting: "a buffer's name, or a table with buffer, binding, parameter, range",
            word: Self::Name,
            table: |table: BindTable| Self::Table(Box::new(table)),
        })
    }
}

impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTable {
            expecting: "the name of a buffer or a scalar, or a table with buffer and range, with dtype and value, or with fields",
            word: Self::Name,
            table: |table: ParameterTable| Self::Table(Box::new(table)),
        })
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or a list of numbers")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![Number::Int(value.into())]))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![Number::Int(value.into())]))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![Number::Float(value)]))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![Number::Bool(value)]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = list.next_element()? {
                    numbers.push(number);
                }
                Ok(OneOrMany(numbers))
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}
