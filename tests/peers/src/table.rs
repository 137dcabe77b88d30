//! The printed comparison.

use crate::engine::Engine;
use crate::ratio;
use crate::workload::{Figures, Metric};

/// Prints the figures, then how Indelible compares with each peer and with the
/// best of them: above 1 it leads.
pub fn print(engines: &[Box<dyn Engine>], figures: &[Figures]) {
    print!("{:<18}", "");
    for engine in engines {
        print!("{:>13}", engine.name());
    }
    println!();
    for (at, metric) in Metric::ALL.into_iter().enumerate() {
        print!("{:<18}", metric.title());
        for figures in figures {
            print!("{:>13}", figure(figures[at]));
        }
        println!();
    }

    let (ours, peers): (Vec<usize>, Vec<usize>) =
        (0..engines.len()).partition(|at| engines[*at].is_ours());
    if peers.is_empty() {
        return;
    }
    for our in ours {
        compare(engines, figures, our, &peers);
    }
}

fn compare(engines: &[Box<dyn Engine>], figures: &[Figures], our: usize, peers: &[usize]) {
    println!(
        "\nhow many times better {} is (below 1: worse)",
        engines[our].name()
    );
    print!("{:<18}", "");
    for peer in peers {
        print!("{:>13}", engines[*peer].name());
    }
    println!("{:>13}", "the best");
    for (at, metric) in Metric::ALL.into_iter().enumerate() {
        print!("{:<18}", metric.title());
        let ratios = peers
            .iter()
            .map(|peer| ratio(metric, figures[our][at], figures[*peer][at]));
        let ratios: Vec<f64> = ratios.collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        for ratio in ratios.into_iter().chain([least]) {
            if ratio.is_finite() {
                print!("{:>13}", format!("{ratio:.2}"));
            } else {
                print!("{:>13}", "-");
            }
        }
        println!();
    }
}

fn figure(x: f64) -> String {
    if x.is_nan() {
        return "-".into();
    }
    if x < 100.0 {
        return format!("{x:.2}");
    }
    let digits = format!("{x:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
