//! `init`: where the elements of a buffer or of a patch come from.

use std::path::Path;

use gridproof_launch::DType;
use gridproof_reference::random::Random;
use toml::Spanned;

use super::error::{LaunchFileError, Problem, Text};
use super::format::{Init, InitTable, IotaTable, RandomTable};
use super::number::{Number, Packed, float_bits, int_bits, int_range, is_float};

use super::tensor_file::StoredTensor;

/// Elements that are known how to make, and not made yet.
pub(super) enum Elements {
    /// Nobody wrote them.
    Uninitialised,
    /// The same bits everywhere.
    Uniform(u64),
    /// Given one by one.
    Listed(Vec<u64>),
    /// `start + step * (i mod modulo)`.
    Iota { start: Number, step: Number, modulo: u64 },
    /// Drawn from a generator.
    Random { stream: Random, range: RandomRange },
    /// Stored in a safetensors file.
    Stored(StoredTensor),
}

/// What a random element may be.
#[derive(Clone, Copy)]
pub(super) enum RandomRange {
    /// Normal with this standard deviation.
    Normal(f64),
    /// Uniform between two reals.
    Real(f64, f64),
    /// Uniform between two integers, both possible.
    Integer(i128, i128),
}

/// What reading an `init` needs to know.
pub(super) struct Source<'a> {
    pub text: &'a Text<'a>,
    /// Folder of the launch file.
    pub folder: &'a Path,
    /// Seed of `random` without one.
    pub seed: u64,
}

impl Source<'_> {
    /// What the file says about `init`, for elements of `dtype` and a tensor of `shape` in all. Random
    /// elements come from the stream called `stream`.
    pub fn elements(
        &self,
        init: &Spanned<Init>,
        dtype: DType,
        shape: &[u64],
        stream: &str,
    ) -> Result<Elements, LaunchFileError> {
        let count = shape.iter().product();
        match init.get_ref() {
            Init::Word(word) => match word.as_str() {
                "zeros" => Ok(Elements::Uniform(0)),
                "uninitialised" => Ok(Elements::Uninitialised),
                "iota" => self.iota(&Spanned::new(init.span(), IotaTable::default()), dtype, count),
                "random" => self.random(&Spanned::new(init.span(), RandomTable::default()), dtype, stream),
                other => Err(self.text.value(
                    init.span(),
                    "init",
                    format_args!("\"{other}\""),
                    "zeros, uninitialised, iota, random, or a table with one of value, values, iota, random, file",
                )),
            },
            Init::Table(table) => self.table(init, table, dtype, shape, stream),
        }
    }

    fn table(
        &self,
        init: &Spanned<Init>,
        table: &InitTable,
        dtype: DType,
        shape: &[u64],
        stream: &str,
    ) -> Result<Elements, LaunchFileError> {
        let count = shape.iter().product();
        let InitTable { value, values, iota, random, file, tensor } = table;
        let given = [value.is_some(), values.is_some(), iota.is_some(), random.is_some(), file.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            let why = "exactly one of value, values, iota, random, file is needed".to_owned();
            return Err(self.text.error(init.span(), Problem::Missing { key: "init", why }));
        }
        if let (Some(tensor), None) = (tensor, file) {
            let why = "it names a tensor of `file`".to_owned();
            return Err(self.text.error(tensor.span(), Problem::Conflict { key: "tensor".to_owned(), why }));
        }
        match (value, values, iota, random, file) {
            (Some(value), ..) => self.bits("value", value, dtype).map(Elements::Uniform),
            (_, Some(values), ..) => self.listed(values, dtype, count),
            (_, _, Some(iota), ..) => self.iota(iota, dtype, count),
            (_, _, _, Some(random), _) => self.random(random, dtype, stream),
            (_, _, _, _, Some(file)) => {
                let stored = self.stored(file, tensor.as_ref())?;
                self.check_stored(init.span(), &stored, dtype, shape)?;
                Ok(Elements::Stored(stored))
            }
            _ => Ok(Elements::Uninitialised),
        }
    }

    /// Opens the tensor that `init` names, when it names one: its type and shape may stand for the buffer's.
    pub fn named_tensor(&self, init: &Spanned<Init>) -> Result<Option<StoredTensor>, LaunchFileError> {
        match init.get_ref() {
            Init::Table(table) => table.file.as_ref().map(|file| self.stored(file, table.tensor.as_ref())).transpose(),
            Init::Word(_) => Ok(None),
        }
    }

    fn stored(
        &self,
        file: &Spanned<String>,
        tensor: Option<&Spanned<String>>,
    ) -> Result<StoredTensor, LaunchFileError> {
        let path = self.folder.join(file.get_ref());
        StoredTensor::find(&path, tensor.map(|tensor| tensor.get_ref().as_str()))
            .map_err(|problem| self.text.error(tensor.unwrap_or(file).span(), problem))
    }

    fn check_stored(
        &self,
        span: std::ops::Range<usize>,
        stored: &StoredTensor,
        dtype: DType,
        shape: &[u64],
    ) -> Result<(), LaunchFileError> {
        let nibbles = dtype == DType::U4 && stored.dtype == DType::U8;
        if stored.dtype != dtype && !nibbles {
            let limit = format!("the buffer has elements of type {dtype}");
            return Err(self.text.value(span, "dtype of the tensor", stored.dtype, limit));
        }
        let fits = match (nibbles, shape.split_last(), stored.shape.split_last()) {
            (false, ..) => stored.shape == shape,
            (true, Some((last, outer)), Some((stored_last, stored_outer))) => {
                outer == stored_outer && stored_last.checked_mul(2) == Some(*last)
            }
            (true, ..) => false,
        };
        if !fits {
            let limit = format!("the buffer has shape {shape:?}");
            return Err(self.text.value(span, "shape of the tensor", format_args!("{:?}", stored.shape), limit));
        }
        Ok(())
    }

    fn bits(&self, key: &str, number: &Spanned<Number>, dtype: DType) -> Result<u64, LaunchFileError> {
        number.get_ref().bits(dtype).map_err(|limit| self.text.value(number.span(), key, number.get_ref(), limit))
    }

    fn listed(
        &self,
        values: &Spanned<Vec<Spanned<Number>>>,
        dtype: DType,
        count: u64,
    ) -> Result<Elements, LaunchFileError> {
        let list = values.get_ref();
        if u64::try_from(list.len()) != Ok(count) {
            let given = format!("{} values", list.len());
            let limit = format!("{count} elements are to be filled");
            return Err(self.text.value(values.span(), "values", given, limit));
        }
        let bits: Result<Vec<u64>, _> = list.iter().map(|number| self.bits("values", number, dtype)).collect();
        Ok(Elements::Listed(bits?))
    }

    fn iota(&self, table: &Spanned<IotaTable>, dtype: DType, count: u64) -> Result<Elements, LaunchFileError> {
        let IotaTable { start, step, modulo } = table.get_ref();
        let modulo =
            match modulo {
                None => u64::MAX,
                Some(number) => number.get_ref().natural().filter(|modulo| *modulo > 0).ok_or_else(|| {
                    self.text.value(number.span(), "modulo", number.get_ref(), "an integer from 1 on")
                })?,
            };
        let number = |given: &Option<Spanned<Number>>, usual| given.as_ref().map_or(usual, |number| *number.get_ref());
        let (start, step) = (number(start, Number::Int(0)), number(step, Number::Int(1)));
        // Both ends are checked; what lies between them fits too.
        for index in [0, count.min(modulo).saturating_sub(1)] {
            iota_bits(start, step, index, dtype)
                .map_err(|limit| self.text.value(table.span(), "iota", format_args!("element {index}"), limit))?;
        }
        Ok(Elements::Iota { start, step, modulo })
    }

    fn random(&self, table: &Spanned<RandomTable>, dtype: DType, stream: &str) -> Result<Elements, LaunchFileError> {
        let RandomTable { seed, scale, low, high } = table.get_ref();
        let seed = match seed {
            None => self.seed,
            Some(number) => number.get_ref().natural().ok_or_else(|| {
                self.text.value(number.span(), "seed", number.get_ref(), "an integer from 0 to 2^64 - 1")
            })?,
        };
        let range = match (is_float(dtype), scale, low, high) {
            (true, scale, None, None) => {
                RandomRange::Normal(scale.as_ref().map_or(Ok(1.0), |scale| self.real("scale", scale))?)
            }
            (true, None, Some(low), Some(high)) => RandomRange::Real(self.real("low", low)?, self.real("high", high)?),
            (false, None, low, high) => {
                let (least, most) = int_range(dtype);
                let low = low.as_ref().map_or(Ok(least), |low| self.integer("low", low, dtype))?;
                RandomRange::Integer(low, high.as_ref().map_or(Ok(most), |high| self.integer("high", high, dtype))?)
            }
            (true, ..) => {
                return Err(self.random_keys(table, "of floating-point elements takes scale, or low and high"));
            }
            (false, ..) => return Err(self.random_keys(table, "of integer elements takes low and high, both possible")),
        };
        let turned = match range {
            RandomRange::Normal(scale) => scale < 0.0,
            RandomRange::Real(low, high) => low > high,
            RandomRange::Integer(low, high) => low > high,
        };
        if turned {
            return Err(self.random_keys(table, "needs a scale from 0 on, and low not above high"));
        }
        Ok(Elements::Random { stream: Random::new(seed, stream), range })
    }

    fn random_keys(&self, table: &Spanned<RandomTable>, why: &str) -> LaunchFileError {
        self.text.error(table.span(), Problem::Conflict { key: "random".to_owned(), why: format!("random {why}") })
    }

    fn real(&self, key: &str, number: &Spanned<Number>) -> Result<f64, LaunchFileError> {
        number
            .get_ref()
            .real()
            .filter(|value| value.is_finite())
            .ok_or_else(|| self.text.value(number.span(), key, number.get_ref(), "a finite number"))
    }

    fn integer(&self, key: &str, number: &Spanned<Number>, dtype: DType) -> Result<i128, LaunchFileError> {
        self.bits(key, number, dtype)?;
        match number.get_ref() {
            Number::Int(value) => Ok(*value),
            other => Err(self.text.value(number.span(), key, other, "an integer")),
        }
    }
}

impl Elements {
    /// Makes `count` elements as dense memory of `bytes` bytes. The caller has checked the budget.
    ///
    /// # Errors
    /// When a stored tensor cannot be read, or a random number does not fit its type.
    pub fn make(self, dtype: DType, count: usize, bytes: usize) -> Result<Vec<u8>, Problem> {
        let mut packed = match self {
            Self::Stored(stored) => return stored.read(),
            _ => Packed::zeroed(dtype, bytes),
        };
        let refuse = |limit| Problem::Value { key: "random".to_owned(), value: "a drawn number".to_owned(), limit };
        match self {
            Self::Uninitialised | Self::Stored(_) => {}
            Self::Uniform(bits) => (0..count).for_each(|element| packed.set(element, bits)),
            Self::Listed(list) => list.into_iter().enumerate().for_each(|(element, bits)| packed.set(element, bits)),
            Self::Iota { start, step, modulo } => {
                for (element, index) in (0..count).zip((0..modulo).cycle()) {
                    packed.set(element, iota_bits(start, step, index, dtype).unwrap_or(0));
                }
            }
            Self::Random { stream, range } => {
                for (element, index) in (0..count).zip(0..) {
                    packed.set(element, random_bits(stream, index, range, dtype).map_err(refuse)?);
                }
            }
        }
        Ok(packed.into_bytes())
    }
}

fn random_bits(stream: Random, index: u64, range: RandomRange, dtype: DType) -> Result<u64, String> {
    match range {
        RandomRange::Normal(scale) => float_bits(stream.normal(index) * scale, dtype),
        RandomRange::Real(low, high) => float_bits(low + (high - low) * stream.uniform(index), dtype),
        RandomRange::Integer(low, high) => {
            let count = high.abs_diff(low) + 1;
            let step = (u128::from(stream.bits(index)) * count) >> 64;
            int_bits(low.saturating_add_unsigned(step), dtype)
        }
    }
}

fn iota_bits(start: Number, step: Number, index: u64, dtype: DType) -> Result<u64, String> {
    if let (Number::Int(start), Number::Int(step)) = (start, step) {
        let value = step.checked_mul(index.into()).and_then(|reach| start.checked_add(reach));
        return value.ok_or("is beyond 128 bits".to_owned()).and_then(|value| Number::Int(value).bits(dtype));
    }
    let (Some(start), Some(step)) = (start.real(), step.real()) else {
        return Err("start and step are numbers".to_owned());
    };
    #[expect(clippy::cast_precision_loss, reason = "the nearest f64 is meant")]
    Number::Float(start + step * index as f64).bits(dtype)
}
