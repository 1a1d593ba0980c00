/* Code of its own that compilers inline into templates of the C++ library, which the library then calls: what threads
 * run, what is in a std::function, what std::async and std::call_once are given. */
#include <cstdlib>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

void *volatile kept;

static inline void take(int count, size_t bytes)
{
    for (int i = 0; i < count; i++)
        kept = malloc(bytes);
}

struct pool {
    void operator()() { take(300, 30); }
};

struct item {
    int of[10];
};

static __attribute__((noinline)) void grow(int)
{
    std::vector<item> items;
    for (int i = 0; i < 9; i++)
        items.push_back(item()); /* 1, 2, 4, 8, 16 */
}

int main()
{
    std::thread([] { take(100, 10); }).join();
    std::thread([] { take(200, 20); }).join();
    std::thread(pool()).join();
    std::thread(grow, 1).join();
    std::function<void()> one = [] { take(400, 40); }, two = [] { take(500, 50); };
    one();
    two();
    std::async(std::launch::async, [] { take(600, 60); }).get();
    std::once_flag once;
    std::call_once(once, [] { take(700, 70); });
    return 0;
}
