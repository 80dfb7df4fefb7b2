//! How much work a function makes for the network's compiler, by the kinds of its instructions.

use wasmparser::Operator;

/// The weight of one instruction.
pub(super) fn weight(operator: &Operator<'_>) -> u64 {
    use Operator as O;

    match operator {
        // Where control goes somewhere else.
        O::Block { .. }
        | O::Loop { .. }
        | O::If { .. }
        | O::Br { .. }
        | O::BrIf { .. }
        | O::BrTable { .. }
        | O::Call { .. }
        | O::CallIndirect { .. }
        | O::MemoryGrow { .. } => 50,
        O::TableGet { .. } => 14,
        O::RefFunc { .. } => 8,
        O::RefIsNull => 6,
        conversion if is_conversion(conversion) => 5,
        O::F32Neg | O::F32Abs | O::F64Neg | O::F64Abs | O::MemoryCopy { .. } => 4,
        division if is_division(division) => 3,
        load if is_load(load) => 3,
        O::F32Copysign | O::F64Copysign | O::F64Eq | O::MemoryFill { .. } => 3,
        store if is_store(store) => 2,
        comparison if is_comparison(comparison) => 2,
        O::GlobalGet { .. }
        | O::Select
        | O::MemorySize { .. }
        | O::I32Popcnt
        | O::I64Popcnt
        | O::I32WrapI64
        | O::F64PromoteF32
        | O::F32Ceil
        | O::F64Ceil
        | O::F32Floor
        | O::F64Floor
        | O::F32Trunc
        | O::F64Trunc
        | O::F32Sqrt
        | O::F64Sqrt
        | O::I32ReinterpretF32
        | O::I64ReinterpretF64
        | O::F32ReinterpretI32
        | O::F64ReinterpretI64
        | O::I32Extend8S
        | O::I32Extend16S
        | O::I64Extend8S
        | O::I64Extend16S
        | O::I64Extend32S => 2,
        _ => 1,
    }
}

/// Between integers and floating point numbers, or to wider ones.
fn is_conversion(operator: &Operator<'_>) -> bool {
    use Operator as O;

    matches!(
        operator,
        O::I32TruncF32S
            | O::I32TruncF32U
            | O::I32TruncF64S
            | O::I32TruncF64U
            | O::I64TruncF32S
            | O::I64TruncF32U
            | O::I64TruncF64S
            | O::I64TruncF64U
            | O::I64ExtendI32S
            | O::I64ExtendI32U
            | O::F32ConvertI32S
            | O::F32ConvertI32U
            | O::F32ConvertI64S
            | O::F32ConvertI64U
            | O::F32DemoteF64
            | O::F64ConvertI32S
            | O::F64ConvertI32U
            | O::F64ConvertI64S
            | O::F64ConvertI64U
    )
}

/// Divisions of integers, and the conversions to them that cannot trap.
fn is_division(operator: &Operator<'_>) -> bool {
    use Operator as O;

    matches!(
        operator,
        O::I32DivS
            | O::I32DivU
            | O::I32RemS
            | O::I32RemU
            | O::I64DivS
            | O::I64DivU
            | O::I64RemS
            | O::I64RemU
            | O::I32TruncSatF32S
            | O::I32TruncSatF32U
            | O::I32TruncSatF64S
            | O::I32TruncSatF64U
            | O::I64TruncSatF32S
            | O::I64TruncSatF32U
            | O::I64TruncSatF64S
            | O::I64TruncSatF64U
    )
}

fn is_load(operator: &Operator<'_>) -> bool {
    use Operator as O;

    matches!(
        operator,
        O::I32Load { .. }
            | O::I32Load8S { .. }
            | O::I32Load8U { .. }
            | O::I32Load16S { .. }
            | O::I32Load16U { .. }
            | O::I64Load { .. }
            | O::I64Load8S { .. }
            | O::I64Load8U { .. }
            | O::I64Load16S { .. }
            | O::I64Load16U { .. }
            | O::I64Load32S { .. }
            | O::I64Load32U { .. }
            | O::F32Load { .. }
            | O::F64Load { .. }
    )
}

fn is_store(operator: &Operator<'_>) -> bool {
    use Operator as O;

    matches!(
        operator,
        O::I32Store { .. }
            | O::I32Store8 { .. }
            | O::I32Store16 { .. }
            | O::I64Store { .. }
            | O::I64Store8 { .. }
            | O::I64Store16 { .. }
            | O::I64Store32 { .. }
            | O::F32Store { .. }
            | O::F64Store { .. }
    )
}

fn is_comparison(operator: &Operator<'_>) -> bool {
    use Operator as O;

    matches!(
        operator,
        O::I32Eqz
            | O::I32Eq
            | O::I32Ne
            | O::I32LtS
            | O::I32LtU
            | O::I32GtS
            | O::I32GtU
            | O::I32LeS
            | O::I32LeU
            | O::I32GeS
            | O::I32GeU
            | O::I64Eqz
            | O::I64Eq
            | O::I64Ne
            | O::I64LtS
            | O::I64LtU
            | O::I64GtS
            | O::I64GtU
            | O::I64LeS
            | O::I64LeU
            | O::I64GeS
            | O::I64GeU
            | O::F32Eq
            | O::F32Ne
            | O::F32Lt
            | O::F32Gt
            | O::F32Le
            | O::F32Ge
            | O::F64Ne
            | O::F64Lt
            | O::F64Gt
            | O::F64Le
            | O::F64Ge
    )
}
