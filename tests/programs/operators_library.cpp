/* For operators.cpp, which is linked with it and opens it: allocates in its constructors and destructors, and between. */
#include "operators.h"

static Holder whole_life(800);

static __attribute__((constructor)) void begins()
{
    t_delete(t_new(801));
}

static __attribute__((destructor)) void ends()
{
    t_delete(t_new(802));
}

extern "C" __attribute__((visibility("default"))) void use()
{
    Holder held(803);
    void *p = ::operator new[](804, std::align_val_t(64));

    truth("new", p, 804, 64);
    truth("delete", p, NO_SIZE, 0);
    ::operator delete[](p, std::align_val_t(64));
}
