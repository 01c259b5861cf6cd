//! GPUs in numbers, for a model of time.

use super::occupancy::Cores;
use crate::shader::DeviceClass;

/// A GPU, as the model of [`Forecast`](crate::tuning::Forecast) sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Its name, or a part of it that no other has.
    pub name: &'static str,
    /// Whose kernels it runs.
    pub class: DeviceClass,
    /// Its cores.
    pub cores: Cores,
    /// Clocks in a microsecond.
    pub clock: f64,
    /// Bytes of workgroup memory that a core reads or writes in a clock.
    pub staged: f64,
    /// Bytes that a core loads from its own cache in a clock, by invocations side by side.
    pub loaded: f64,
    /// Bytes that a core gets from the cache of all cores in a clock.
    pub fetched: f64,
    /// Bytes of that cache.
    pub cache: u64,
    /// Bytes of memory in a microsecond.
    pub bandwidth: f64,
    /// Microseconds from the end of a dispatch to the work of the next, which waits for it.
    pub launch: f64,
}

const KIB: u32 = 1024;

/// 68 multiprocessors of 128 lanes, 65,536 registers, 100 KiB of shared memory and 48 warps; 1.71 GHz, 5 MiB, 760 GB/s: NVIDIA,
/// "NVIDIA Ampere GA102 GPU Architecture", and the CUDA C Programming Guide, compute capability 8.6.
const RTX_3080: Machine = Machine {
    name: "RTX 3080",
    class: DeviceClass::Discrete,
    cores: Cores { count: 68, lanes: 128, registers: 65_536, memory: 100 * KIB, most: 1536, wanted: 512 },
    clock: 1710.0,
    staged: 128.0,
    loaded: 128.0,
    fetched: 32.0,
    cache: 5 << 20,
    bandwidth: 760_000.0,
    launch: 2.0,
};

/// 84 compute units of 64 lanes (pairs of multiply-adds in one instruction not counted), two times 192 KiB of registers, half of a
/// pair's 128 KiB of LDS, two times 16 waves of 64; 2.4 GHz, 80 MiB, 800 GB/s: AMD's product page, and "RDNA3 Instruction Set
/// Architecture".
const RX_7900_XT: Machine = Machine {
    name: "RX 7900 XT",
    class: DeviceClass::Discrete,
    cores: Cores { count: 84, lanes: 64, registers: 98_304, memory: 64 * KIB, most: 2048, wanted: 512 },
    clock: 2400.0,
    staged: 128.0,
    loaded: 64.0,
    fetched: 32.0,
    cache: 80 << 20,
    bandwidth: 800_000.0,
    launch: 2.0,
};

/// 6 dual subslices of 16 units of 8 lanes and 7 threads, each thread with 4 KiB of registers; 1.3 GHz, 3.8 MiB, 68 GB/s: Intel,
/// "Intel Processor Graphics Xe-LP API Developer and Optimization Guide"; LPDDR4X-4266.
const IRIS_XE: Machine = Machine {
    name: "Iris(R) Xe",
    class: DeviceClass::Integrated,
    cores: Cores { count: 6, lanes: 128, registers: 114_688, memory: 128 * KIB, most: 1792, wanted: 512 },
    clock: 1300.0,
    staged: 128.0,
    loaded: 64.0,
    fetched: 64.0,
    cache: 3_800 << 10,
    bandwidth: 68_000.0,
    launch: 4.0,
};

/// 8 cores of 128 lanes, 32 bytes a clock into each, some 60 KiB of threadgroup memory; 1.278 GHz, 8 MiB:
/// github.com/philipturner/metal-benchmarks. 1024 invocations of 52 registers: Mesa's compiler for it. 68 GB/s: LPDDR4X-4266.
const M1: Machine = Machine {
    name: "Apple M1",
    class: DeviceClass::Apple,
    cores: Cores { count: 8, lanes: 128, registers: 53_248, memory: 60 * KIB, most: 1024, wanted: 512 },
    clock: 1278.0,
    staged: 64.0,
    loaded: 64.0,
    fetched: 32.0,
    cache: 8 << 20,
    bandwidth: 68_000.0,
    launch: 5.0,
};

/// 4 shader processors of 256 lanes; 0.9 GHz: chipsandcheese.com, "Inside Snapdragon 8+ Gen 1's iGPU". 16 waves of 64, 49,152
/// registers and 32 KiB: Mesa's description of it. 51 GB/s: LPDDR5-6400; 2 MiB assumed.
const ADRENO_730: Machine = Machine {
    name: "Adreno (TM) 730",
    class: DeviceClass::Mobile,
    cores: Cores { count: 4, lanes: 256, registers: 49_152, memory: 32 * KIB, most: 1024, wanted: 512 },
    clock: 900.0,
    staged: 128.0,
    loaded: 64.0,
    fetched: 32.0,
    cache: 2 << 20,
    bandwidth: 51_000.0,
    launch: 10.0,
};

impl Machine {
    /// GPUs that are known here. Clocks, cores, registers and bandwidths are the makers' or others' figures; what a core loads,
    /// stages and fetches in a clock where they say nothing, how many invocations hide latencies, and the time of a launch are
    /// assumed.
    pub const KNOWN: [Machine; 5] = [RTX_3080, RX_7900_XT, IRIS_XE, M1, ADRENO_730];

    /// The one that an adapter's name names.
    pub fn named(adapter: &str) -> Option<Machine> {
        Machine::KNOWN.into_iter().find(|machine| adapter.contains(machine.name))
    }
}
