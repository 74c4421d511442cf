//! Files that Mux fetches itself: inputs of assets and tracks, by address.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};

use crate::sim::Sim;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("its address is not http or https")]
    Address,
    #[error("its server answered {0}")]
    Refused(u16),
    #[error("its server could not be reached, or fell silent")]
    Unreachable,
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("it could not be stored")]
    Io(#[from] std::io::Error),
}

/// Fetches a file of at most so many bytes; it appears whole or not at all.
pub(crate) async fn fetch(
    sim: &Sim,
    address: &str,
    to: &Path,
    most: u64,
) -> Result<(), FetchError> {
    let partial = partial(to);
    let fetched = stream(sim, address, &partial, most).await;
    if fetched.is_ok() {
        fs::rename(&partial, to).await?;
    } else {
        // It may not even have been begun.
        let _ = fs::remove_file(&partial).await;
    }
    fetched
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

async fn stream(sim: &Sim, address: &str, to: &Path, most: u64) -> Result<(), FetchError> {
    if !is_web_address(address) {
        return Err(FetchError::Address);
    }
    let waiting = tokio::time::timeout(SILENCE, sim.fetching().get(address).send());
    let Ok(Ok(mut response)) = waiting.await else {
        return Err(FetchError::Unreachable);
    };
    if !response.status().is_success() {
        return Err(FetchError::Refused(response.status().as_u16()));
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).await?;
    }
    let mut file = File::create(to).await?;
    let mut size = 0;
    loop {
        let Ok(Ok(part)) = tokio::time::timeout(SILENCE, response.chunk()).await else {
            return Err(FetchError::Unreachable);
        };
        let Some(part) = part else { break };
        size += u64::try_from(part.len()).unwrap_or(u64::MAX);
        if size > most {
            return Err(FetchError::TooLarge(most));
        }
        file.write_all(&part).await?;
    }
    file.flush().await?;
    Ok(())
}

/// Whether files may be fetched from there at all.
pub(crate) fn is_web_address(address: &str) -> bool {
    address.starts_with("http://") || address.starts_with("https://")
}
