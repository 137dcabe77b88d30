//! Where the memory of the module comes from, and what ends it.

/// The smallest of those measured (see the crate's documentation): a store has
/// a dozen live blocks, and its operations none of their own.
#[global_allocator]
// SAFETY: the module is built without threads: one thread calls it, however many
// workers have an instance of their own.
static HEAP: lol_alloc::AssumeSingleThreaded<lol_alloc::FreeListAllocator> =
    unsafe { lol_alloc::AssumeSingleThreaded::new(lol_alloc::FreeListAllocator::new()) };

/// Nothing here panics by itself; memory that runs out does.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
