//! One Postbook to a data folder: a lock that lives as long as the process, however that ends.

use std::{
    fs::{File, TryLockError},
    io::{Read, Write},
    path::Path,
};

use anyhow::Context;

use super::DatabaseError;

/// Takes `folder` for this process. It is free again when the file is dropped.
pub fn take(folder: &Path) -> Result<File, DatabaseError> {
    let path = folder.join("postbook.lock");
    let fault = || format!("locking {}", path.display());
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).with_context(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).with_context(fault)?;
            return Err(DatabaseError::InUse(folder.to_owned(), holder.trim().to_owned()));
        }
        Err(TryLockError::Error(error)) => return Err(anyhow::Error::new(error).context(fault()).into()),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).with_context(fault)?;
    Ok(file)
}
