//! The checks of a kernel's memory: lengths, alignment, and which operands may share memory. "Outputs must not overlap inputs
//! unless the text of a kernel allows it": kernels hold inputs as slices, and check numbers in device memory (ids, bounds of
//! sequences, pages) before they go by them. Both are sound only while nothing writes there.

use std::ops::Range;

use crate::{Buffers, Code, DType, Error, Recordings, Result, product};

/// The name of an operand in messages.
pub type Name = &'static str;

/// What a kernel does with an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reads, and nothing writes to it meanwhile.
    Read,
    /// Reads each element before it writes its place in an output, which may begin where this operand does.
    InPlace,
    Write,
}

struct Operand {
    name: Name,
    /// Addresses of its bytes.
    place: Range<usize>,
    access: Access,
}

/// The operands of one kernel as far as they were checked.
#[derive(Default)]
pub struct Operands {
    seen: Vec<Operand>,
}

impl Operands {
    /// Forgets the operands of the last kernel.
    pub fn clear(&mut self) {
        self.seen.clear();
    }

    /// The addresses of an operand of that shape, or what is wrong with it.
    pub fn check<S, W>(
        &mut self,
        buffers: &Buffers<S>,
        recordings: &mut Recordings<W>,
        (name, id): (Name, u32),
        (shape, dtype): (&[usize], DType),
        access: Access,
    ) -> Result<Range<usize>> {
        let span = buffers.get(id).map_err(|error| error.of(name))?;
        let needed = product(shape)?.checked_mul(dtype.size()).filter(|needed| *needed <= span.bytes);
        let wrong = |what: String| Err(Error::new(Code::BufferBounds, format!("{name} {what}")));
        let Some(bytes) = needed else {
            let (dtype, bytes) = (dtype.name(), span.bytes);
            return wrong(format!("{shape:?} in {dtype} does not fit in its buffer of {bytes} bytes"));
        };
        if span.address % dtype.size() != 0 {
            return wrong(format!("starts at an odd byte for {}", dtype.name()));
        }
        if access == Access::Write && !span.writable {
            return wrong("is a mapped file, which is read-only".to_owned());
        }
        let place = span.address..span.address + bytes;
        self.add(name, place.clone(), access)?;
        recordings.uses(span.address);
        Ok(place)
    }

    /// Takes note of an operand, or says with which one it must not share memory.
    fn add(&mut self, name: Name, place: Range<usize>, access: Access) -> Result<()> {
        let operand = Operand { name, place, access };
        if let Some(other) = self.seen.iter().find(|other| operand.clashes_with(other)) {
            let (output, other) =
                if access == Access::Write { (name, other.name) } else { (other.name, name) };
            let message = format!("{output} overlaps {other}, expected memory of its own for an output");
            return Err(Error::new(Code::Argument, message));
        }
        self.seen.push(operand);
        Ok(())
    }
}

impl Operand {
    fn clashes_with(&self, other: &Self) -> bool {
        use Access::{InPlace, Read, Write};
        let (a, b) = (&self.place, &other.place);
        let overlap = !a.is_empty() && !b.is_empty() && a.start < b.end && b.start < a.end;
        overlap
            && match (self.access, other.access) {
                (Read | InPlace, Read | InPlace) => false,
                (InPlace, Write) | (Write, InPlace) => a.start != b.start,
                (Write, Write | Read) | (Read, Write) => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clash(operands: &[(Name, Range<usize>, Access)]) -> Option<String> {
        let mut seen = Operands::default();
        let mut added = operands.iter().map(|(name, place, access)| seen.add(name, place.clone(), *access));
        added.find_map(|added| added.err().map(|error| error.message))
    }

    #[test]
    fn only_inputs_share_memory_unless_a_kernel_works_in_place() {
        use Access::{InPlace, Read, Write};
        let message = |a, b| Some(format!("{a} overlaps {b}, expected memory of its own for an output"));
        assert_eq!(clash(&[("y", 0..8, Write), ("x", 8..16, Read), ("z", 8..12, Read)]), None);
        assert_eq!(clash(&[("y", 0..8, Write), ("x", 7..16, Read)]), message("y", "x"));
        assert_eq!(clash(&[("ids", 4..8, Read), ("y", 0..8, Write)]), message("y", "ids"));
        assert_eq!(clash(&[("dk", 0..8, Write), ("dv", 4..5, Write)]), message("dv", "dk"));
        assert_eq!(clash(&[("y", 0..8, Write), ("x", 0..8, InPlace)]), None);
        assert_eq!(clash(&[("x", 0..8, InPlace), ("y", 2..10, Write)]), message("y", "x"));
        // Nothing overlaps an operand without elements.
        assert_eq!(clash(&[("y", 0..8, Write), ("x", 4..4, Read)]), None);
    }

    #[test]
    fn the_operands_of_one_kernel_are_no_other_s() {
        let mut operands = Operands::default();
        operands.add("y", 0..8, Access::Write).unwrap();
        operands.clear();
        operands.add("x", 0..8, Access::Read).unwrap();
    }
}
