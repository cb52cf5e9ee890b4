//! Holds and extensions: what they keep is kept by the store itself, object by object, whoever dies on the way; and no more than they keep.

mod carried;
mod interrupted;
mod servers;
