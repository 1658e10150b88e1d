//! Special registers.

use super::layout::RESERVED_BYTES;
use super::{Lowered, Lowerer};
use crate::frontend::ptx::ast::{Name, Type};
use crate::ir::{BinaryOp, Builtin, Instr, Reg, Scalar, UnaryOp};

/// Special registers that no schedule decides, or that only a real device has.
const REFUSED: &[&str] = &[
    "clock",
    "clock64",
    "clock_hi",
    "globaltimer",
    "globaltimer_lo",
    "globaltimer_hi",
    "smid",
    "nsmid",
    "envreg",
    "pm",
    "current_graph_exec",
    "aggr_smem_size",
];

/// Registers that say where the memory lies that cooperative groups synchronise through.
pub(super) const RESERVED: &str = "%reserved_smem_offset_";

impl<'t> Lowerer<'_, 't> {
    /// The value of a special register; `None` for another name.
    pub(super) fn special(&mut self, name: Name<'t>, ty: Type) -> Lowered<Option<Reg>> {
        let axis = |word: &str| match word {
            "x" => Some(0),
            "y" => Some(1),
            "z" => Some(2),
            _ => None,
        };
        let Some(word) = name.text.strip_prefix('%') else { return Ok(None) };
        let zero = |component: &str| axis(component).map(|_| 0_u32);
        let mut constant = None;
        let which = match word.split_once('.') {
            Some(("tid", component)) => axis(component).map(Builtin::LocalInvocationId),
            Some(("ntid", component)) => axis(component).map(Builtin::WorkgroupSize),
            // Without clusters every workgroup is one of its own.
            Some(("ctaid" | "clusterid", component)) => axis(component).map(Builtin::WorkgroupId),
            Some(("nctaid" | "nclusterid", component)) => axis(component).map(Builtin::NumWorkgroups),
            Some(("cluster_ctaid", component)) => {
                constant = zero(component);
                None
            }
            Some(("cluster_nctaid", component)) => {
                constant = zero(component).map(|_| 1);
                None
            }
            Some(_) => None,
            None => {
                if let Some(mask) = word.strip_prefix("lanemask_") {
                    return Ok(self.lane_mask(mask));
                }
                let reserved = |offset: u64| u32::try_from(self.reserved? + offset).ok();
                constant = match word {
                    "reserved_smem_offset_begin" | "reserved_smem_offset_0" => reserved(0),
                    "reserved_smem_offset_1" => reserved(RESERVED_BYTES / 2),
                    "reserved_smem_offset_end" => reserved(RESERVED_BYTES),
                    "reserved_smem_offset_cap" => u32::try_from(RESERVED_BYTES).ok(),
                    "gridid" | "is_explicit_cluster" | "cluster_ctarank" => Some(0),
                    "cluster_nctarank" => Some(1),
                    "dynamic_smem_size" => Some(self.dynamic_bytes),
                    "total_smem_size" => {
                        Some(u32::try_from(self.memory.bytes).unwrap_or(u32::MAX).saturating_add(self.dynamic_bytes))
                    }
                    _ => None,
                };
                match word {
                    "laneid" => Some(Builtin::SubgroupInvocationId),
                    "warpid" => Some(Builtin::SubgroupId),
                    "nwarpid" => Some(Builtin::NumSubgroups),
                    _ => None,
                }
            }
        };
        if let Some(value) = constant {
            return Ok(Some(self.emitter.constant64(u64::from(value))));
        }
        let Some(which) = which else {
            let known = REFUSED.iter().any(|refused| word.starts_with(refused));
            return if known {
                Err(self.unsupported(name.place, format!("the special register `{}`", name.text)))
            } else {
                Ok(None)
            };
        };
        if ty.bits() > 32 {
            return Err(self.width(name, Type::U32, ty));
        }
        let dst = self.emitter.fresh(1);
        self.emitter.emit(Instr::Builtin { dst, which });
        Ok(Some(dst))
    }

    /// The bits of the lanes that compare so with this one.
    fn lane_mask(&mut self, relation: &str) -> Option<Reg> {
        let [lane, equal, below, result] = std::array::from_fn(|_| self.emitter.fresh(1));
        if !matches!(relation, "eq" | "lt" | "le" | "gt" | "ge") {
            return None;
        }
        let one = self.emitter.constant(1);
        let word = |op, dst, a, b| Instr::Binary { op, ty: Scalar::U32, dst, a, b };
        let not = |dst, a| Instr::Unary { op: UnaryOp::Not, ty: Scalar::U32, dst, a };
        self.emitter.emit(Instr::Builtin { dst: lane, which: Builtin::SubgroupInvocationId });
        self.emitter.emit(word(BinaryOp::Shl, equal, one, lane));
        self.emitter.emit(word(BinaryOp::Sub, below, equal, one));
        match relation {
            "eq" => return Some(equal),
            "lt" => return Some(below),
            "le" => self.emitter.emit(word(BinaryOp::Or, result, equal, below)),
            "ge" => self.emitter.emit(not(result, below)),
            _ => {
                let up_to = self.emitter.fresh(1);
                self.emitter.emit(word(BinaryOp::Or, up_to, equal, below));
                self.emitter.emit(not(result, up_to));
            }
        }
        Some(result)
    }
}
