//! Writes the seeds of a fuzzer into a folder: `seeds FUZZER FOLDER`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (seeds, folder) = match arguments.as_slice() {
        [name, folder] if name == "operations" => (fuzz_cases::seeds::operations(), folder),
        [name, folder] if name == "image" => (fuzz_cases::seeds::image(), folder),
        _ => {
            eprintln!("usage: seeds operations|image FOLDER");
            return ExitCode::from(2);
        }
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        seeds.iter().enumerate().try_for_each(|(n, seed)| {
            std::fs::write(
                std::path::Path::new(folder).join(format!("seed-{n:03}")),
                seed,
            )
        })
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seeds: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
