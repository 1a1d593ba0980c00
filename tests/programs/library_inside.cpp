/* What is deep inside the C++ library allocates for these functions; distributions leave no names there. With -DCOUNT it tells
 * how often each function's calls come to operator new. */
#include <cstdio>
#include <filesystem>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

namespace fs = std::filesystem;

static size_t count;

#ifdef COUNT
#include <cstdlib>
void *operator new(size_t bytes)
{
    count++;
    return malloc(bytes);
}
void *operator new(size_t bytes, std::align_val_t align)
{
    count++;
    return aligned_alloc((size_t)align, (bytes + (size_t)align - 1) / (size_t)align * (size_t)align);
}
void operator delete(void *block) noexcept
{
    free(block);
}
void operator delete(void *block, size_t) noexcept
{
    free(block);
}
void operator delete(void *block, size_t, std::align_val_t) noexcept
{
    free(block);
}
#endif

static volatile size_t sum; /* no last call */

__attribute__((noinline)) static void parents()
{
    for (int i = 0; i < 100; i++)
        sum += fs::path("/usr/share/some/where").parent_path().native().size();
}

__attribute__((noinline)) static void normal()
{
    for (int i = 0; i < 200; i++)
        sum += fs::path("/usr/share/some/../where").lexically_normal().native().size();
}

__attribute__((noinline)) static void joined()
{
    for (int i = 0; i < 50; i++)
        sum += (fs::path("/usr/share") / "some" / "where/else").native().size();
}

__attribute__((noinline)) static void walk(const char *directory)
{
    for (auto &entry : fs::recursive_directory_iterator(directory))
        sum += entry.path().filename().native().size();
}

__attribute__((noinline)) static void pool()
{
    std::pmr::unsynchronized_pool_resource pool;
    std::pmr::vector<std::pmr::string> texts(&pool);
    for (int i = 0; i < 500; i++)
        texts.emplace_back(40, 'x');
    sum += texts.size();
}

static void tell(const char *name)
{
    if (count)
        printf("%s %zu\n", name, count);
    count = 0;
}

int main(int, char **arguments)
{
    parents();
    tell("parents");
    normal();
    tell("normal");
    joined();
    tell("joined");
    walk(arguments[1]);
    tell("walk");
    pool();
    tell("pool");
    return 0;
}
