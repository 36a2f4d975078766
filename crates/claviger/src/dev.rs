use crate::cli::DevArgs; use crate::env::Env; use crate::failure::Failure;
pub(crate) fn run(_a:DevArgs,_e:&dyn Env)->Result<(),Failure>{Ok(())}
