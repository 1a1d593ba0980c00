/* operators throws|aborts LIBRARY: all of C++'s operators new and delete: as compilers call them,
 * before main and after it, by libraries' constructors, by address, in threads, in a child, failing, with a
 * new_handler, and in a library that is opened while the program runs. They are told as
 * "new" and "delete", whichever variant it was. aborts: as operator new of the C build
 * of mimalloc does, where it should throw. */
#include "operators.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>

using std::align_val_t;
using std::nothrow;

/* Of a library that is there from the start, and allocates before this program can. */
extern "C" void use();

static volatile size_t huge = SIZE_MAX / 4;
static Holder before_main(1001);

static void check(bool condition, const char *what)
{
    say("%s: %s\n", condition ? "good" : "BAD", what);
}

static void *told(void *block, size_t size, size_t alignment = 0)
{
    return truth_alloc("new", block, size, alignment);
}

static void *goes(void *block)
{
    truth("delete", block, NO_SIZE, 0);
    return block;
}

static void every_variant()
{
    void *p;

    p = told(::operator new(1), 1);
    ::operator delete(goes(p));
    p = told(::operator new[](2), 2);
    ::operator delete[](goes(p));
    p = told(::operator new(3, nothrow), 3);
    ::operator delete(goes(p), nothrow);
    p = told(::operator new[](4, nothrow), 4);
    ::operator delete[](goes(p), nothrow);
    p = told(::operator new(50, align_val_t(64)), 50, 64);
    check((uintptr_t)p % 64 == 0, "aligned new");
    ::operator delete(goes(p), align_val_t(64));
    p = told(::operator new[](60, align_val_t(128)), 60, 128);
    check((uintptr_t)p % 128 == 0, "aligned new[]");
    ::operator delete[](goes(p), align_val_t(128));
    p = told(::operator new(70, align_val_t(4096), nothrow), 70, 4096);
    check((uintptr_t)p % 4096 == 0, "aligned nothrow new");
    ::operator delete(goes(p), align_val_t(4096), nothrow);
    p = told(::operator new[](80, align_val_t(32), nothrow), 80, 32);
    ::operator delete[](goes(p), align_val_t(32), nothrow);
    p = told(::operator new(9), 9);
    ::operator delete(goes(p), (size_t)9);
    p = told(::operator new[](10), 10);
    ::operator delete[](goes(p), (size_t)10);
    p = told(::operator new(110, align_val_t(64)), 110, 64);
    ::operator delete(goes(p), (size_t)110, align_val_t(64));
    p = told(::operator new[](120, align_val_t(64)), 120, 64);
    ::operator delete[](goes(p), (size_t)120, align_val_t(64));
    p = told(::operator new(0), 0);
    ::operator delete(goes(p));
    p = told(::operator new(1 << 20), 1 << 20);
    ::operator delete(goes(p));
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
}

struct alignas(256) Wide {
    char bytes[300];
};

static void as_compiled()
{
    int *one = new int(1);
    told(one, sizeof *one);
    delete (int *)goes(one);
    long *many = new long[100];
    told(many, 100 * sizeof *many);
    delete[] (long *)goes(many);
    Wide *wide = new Wide;
    told(wide, sizeof *wide, alignof(Wide));
    delete (Wide *)goes(wide);
}

/* As data that the loader fills in, and as symbols that the program looks up. */
static void *(*const by_address)(size_t) = ::operator new;
static void (*volatile delete_by_address)(void *) = ::operator delete;

static void by_pointer()
{
    void *p = told(by_address(200), 200);
    delete_by_address(goes(p));
    void *(*found)(size_t) = (void *(*)(size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "_Znam");
    void (*found_delete)(void *) = (void (*)(void *))(uintptr_t)dlsym(RTLD_DEFAULT, "_ZdaPv");
    p = told(found(201), 201);
    found_delete(goes(p));
    t_free(t_malloc(202));
}

static unsigned handled;
static void *reserve;

static void frees_reserve()
{
    handled++;
    if (reserve) {
        t_delete(reserve);
        reserve = nullptr;
        t_delete(t_new(302));
    } else {
        std::set_new_handler(nullptr);
    }
}

struct Thrown {
    size_t number;
};

static void throws_own()
{
    throw Thrown{ 17 };
}

static void fails(void *(*allocate)(size_t), size_t size, const char *what)
{
    bool caught = false;

    try {
        allocate(size);
    } catch (const std::bad_alloc &) {
        caught = true;
    }
    truth("new-failed", nullptr, size, 0);
    check(caught, what);
    t_delete(t_new(300)); /* recording goes on */
}

static void failing_without_a_word()
{
    check(!::operator new(huge, nothrow), "nothrow new of too much");
    truth("new-failed", nullptr, huge, 0);
    check(!::operator new[](huge, nothrow), "nothrow new[] of too much");
    truth("new-failed", nullptr, huge, 0);
    check(!::operator new(huge, align_val_t(64), nothrow), "aligned nothrow new of too much");
    truth("new-failed", nullptr, huge, 64);
}

static void failing()
{
    fails([](size_t size) { return ::operator new(size); }, huge, "new of too much throws");
    fails([](size_t size) { return ::operator new[](size); }, huge, "new[] of too much throws");

    reserve = t_new(301);
    std::set_new_handler(frees_reserve);
    fails([](size_t size) { return ::operator new(size); }, huge, "new with a handler throws in the end");
    check(handled == 2 && !reserve, "the handler was called");

    std::set_new_handler(throws_own);
    size_t number = 0;
    try {
        t_delete(::operator new(huge));
    } catch (const Thrown &thrown) {
        number = thrown.number;
    }
    truth("new-failed", nullptr, huge, 0);
    check(number == 17, "the handler's own exception arrives");
    std::set_new_handler(nullptr);
}

static thread_local Holder *of_thread;

struct Last {
    Holder held{ 400 };
    ~Last() { t_delete(t_new(401)); }
};

static void *work(void *given)
{
    static thread_local Last last;

    (void)&last;
    for (size_t i = 0; i < 1000; i++)
        t_delete(t_new(500 + i));
    of_thread = new (t_new(sizeof(Holder))) Holder(402);
    of_thread->~Holder();
    t_delete(of_thread);
    t_delete(given);
    return t_new(403);
}

static void in_threads()
{
    pthread_t threads[4];

    for (auto &thread : threads)
        pthread_create(&thread, nullptr, work, t_new(404));
    for (auto &thread : threads) {
        void *left;
        pthread_join(thread, &left);
        t_delete(left);
    }
}

static void in_child()
{
    void *block = t_new(600);
    pid_t child = fork();

    if (child == 0) {
        t_delete(block);
        t_delete(t_new(601));
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    check(status == 0, "the child ended well");
    t_delete(block);
}

/* The C++ library's own calls; the test knows them by their stacks. */
static void by_library()
{
    std::string text(3000, 'x');

    text += text;
    check(text.size() == 6000, "a string");
    try {
        throw std::runtime_error(text);
    } catch (const std::exception &e) {
        check(strlen(e.what()) == 6000, "an exception");
    }
}

static void by_plugin(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void (*use_it)() = library ? (void (*)())(uintptr_t)dlsym(library, "use") : nullptr;

    check(use_it, "the library opens");
    if (use_it)
        use_it();
    if (library)
        dlclose(library);
}

/* Nothing may stay writable that the loader has made read-only. */
static void say_writable()
{
    static char maps[1 << 18];
    size_t used = 0, writable = 0;
    int fd = open("/proc/self/maps", O_RDONLY);

    for (ssize_t got; used < sizeof maps - 1 && (got = read(fd, maps + used, sizeof maps - 1 - used)) > 0;)
        used += (size_t)got;
    close(fd);
    for (char *line = maps, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        char *next, *path = strchr(line, '/');
        size_t start = strtoul(line, &next, 16), stop = strtoul(next + 1, &next, 16);
        if (next[2] == 'w' && path && !strstr(path, "malloscope") && !strstr(path, ".live.") && !strstr(path, "libunwind") &&
            !strstr(path, "liblzma"))
            writable += stop - start;
    }
    say("%zu writable bytes of files, %s\n", writable, used ? "good" : "BAD");
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 99;
    use();
    every_variant();
    as_compiled();
    by_pointer();
    failing_without_a_word();
    if (strcmp(argv[1], "throws") == 0)
        failing();
    in_threads();
    in_child();
    by_library();
    for (int i = 0; i < 3; i++)
        by_plugin(argv[2]);
    say_writable();
    static Holder until_exit(700);
    say("done\n");
    return 0;
}
