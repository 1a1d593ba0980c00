/* For operators.cpp and its library: operators that tell. */
#ifndef MALLOSCOPE_TESTS_OPERATORS_H
#define MALLOSCOPE_TESTS_OPERATORS_H

#include "truth.h"

#include <new>

static UNUSED NOINLINE void *t_new(size_t size)
{
    void *block = ::operator new(size);
    truth("new", block, size, 0);
    return block;
}

static UNUSED NOINLINE void t_delete(void *block)
{
    if (block)
        truth("delete", block, NO_SIZE, 0);
    ::operator delete(block);
}

/* Allocates when it is made, and frees when it goes. */
struct Holder {
    void *block;
    explicit Holder(size_t size) : block(t_new(size)) {}
    Holder(const Holder &) = delete;
    Holder &operator=(const Holder &) = delete;
    ~Holder() { t_delete(block); }
};

#endif
