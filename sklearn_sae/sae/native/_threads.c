/* Loops that run in the threads of torch.

   The threads of an OpenMP pool spin for a while when they have no work. A second pool would therefore compete with the
   threads of torch for the cores. So the loops run in the pool that torch has made. They enter it by the function that
   GCC calls for `#pragma omp parallel`. Where torch has no such pool, they run in the calling thread.

   A thread takes the next block of items when it has finished one. What is computed for an item does not depend on the
   thread that computes it. */

#include "_compiled.h"

typedef struct {
    Work work;
    const void *task;
    ptrdiff_t n, block, next;
    int threads;
} Loop;

typedef void (*Parallel)(void (*call)(void *), void *argument, unsigned n_threads, unsigned flags);
static Parallel parallel = NULL;

void use_threads_of(void *gomp_parallel)
{
    parallel = (Parallel)gomp_parallel;
}

#ifdef __GNUC__
static void take_blocks(void *argument)
{
    Loop *loop = argument;
    int thread = __atomic_fetch_add(&loop->threads, 1, __ATOMIC_RELAXED);
    for (;;) {
        ptrdiff_t start = __atomic_fetch_add(&loop->next, loop->block, __ATOMIC_RELAXED);
        if (start >= loop->n)
            return;
        loop->work(loop->task, thread, start, loop->n - start < loop->block ? loop->n : start + loop->block);
    }
}
#endif

void in_threads(Work work, const void *task, ptrdiff_t n, ptrdiff_t block, int n_threads)
{
#ifdef __GNUC__
    if (parallel && n_threads > 1 && n > block) {
        Loop loop = {work, task, n, block, 0, 0};
        parallel(take_blocks, &loop, n_threads, 0); /* always in all, because to change their number costs more */
        return;
    }
#endif
    for (ptrdiff_t start = 0; start < n; start += block)
        work(task, 0, start, n - start < block ? n : start + block);
}
