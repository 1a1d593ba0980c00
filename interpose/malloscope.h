/* For programs that want to say what malloscope records of them. Nothing to link: the
 * three functions do nothing unless the program runs under malloscope. They may be
 * called from any thread and from signal handlers, leave errno alone, and act on the
 * calling process only (in a vfork child, which has its parent's memory, stop and start do nothing).
 *
 *     #include <malloscope.h>
 *     malloscope_stop();              // allocations are not recorded any more
 *     malloscope_start();             // from here on they are (again)
 *     malloscope_mark("ready");       // a named moment, which reports show
 *
 * `malloscope record --start-paused` begins stopped. While stopped, frees of blocks
 * that were recorded still are. For C99, C++ and ELF systems with GCC or Clang.
 *
 * SPDX-License-Identifier: MIT */
#ifndef MALLOSCOPE_H
#define MALLOSCOPE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The recorder has these; without it they are null. Taken from the global offset table,
 * since linkers settle on null at once where an executable names a weak symbol otherwise. */
extern void malloscope_recorder_start(void) __attribute__((__weak__));
extern void malloscope_recorder_stop(void) __attribute__((__weak__));
extern void malloscope_recorder_mark(const char *) __attribute__((__weak__));

#if defined(__x86_64__) /* in both dialects: -masm=intel */
#define MALLOSCOPE_FUNCTION(name, pointer) \
    __asm__(".weak " #name "\n\t{movq " #name "@GOTPCREL(%%rip), %0|mov %0, qword ptr " #name "@GOTPCREL[rip]}" : "=r"(pointer))
#elif defined(__aarch64__)
#define MALLOSCOPE_FUNCTION(name, pointer) \
    __asm__(".weak " #name "\n\tadrp %0, :got:" #name "\n\tldr %0, [%0, #:got_lo12:" #name "]" : "=r"(pointer))
#else
#define MALLOSCOPE_FUNCTION(name, pointer) ((pointer) = name)
#endif

static inline void malloscope_start(void)
{
    void (*function)(void);

    MALLOSCOPE_FUNCTION(malloscope_recorder_start, function);
    if (function)
        function();
}

static inline void malloscope_stop(void)
{
    void (*function)(void);

    MALLOSCOPE_FUNCTION(malloscope_recorder_stop, function);
    if (function)
        function();
}

/* name: at most 1000 bytes are kept. */
static inline void malloscope_mark(const char *name)
{
    void (*function)(const char *);

    MALLOSCOPE_FUNCTION(malloscope_recorder_mark, function);
    if (function)
        function(name);
}

#ifdef __cplusplus
}
#endif

#endif
