/* passed_on  Allocates through the C++ library's templates, with lambdas as their arguments; each function's lines have so
 * many allocations as tests/cli/test_passed_on.py says. Some have names that look like a library's. */
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

static void *volatile kept;

__attribute__((noinline)) int hold(int n)
{
    struct big { char bytes[100]; } some{};
    std::function<int(int)> f = [some](int x) { return some.bytes[0] + x; };
    kept = &f;
    return f(n);
}

__attribute__((noinline)) long share(int n)
{
    auto deleter = [](int *p) { delete p; };
    return std::shared_ptr<int>(new int(n), deleter).use_count();
}

__attribute__((noinline)) void sort(std::vector<int> &numbers)
{
    std::stable_sort(numbers.begin(), numbers.end(), [](int a, int b) { return a > b; });
}

__attribute__((noinline)) long append(std::vector<std::string> &texts)
{
    texts.emplace_back("a text that is too long for the room that a string has in itself");
    return (long)texts.size(); /* so that the function is still on the stack */
}

namespace core {
__attribute__((noinline)) void prepare()
{
    kept = std::malloc(7);
}
}

namespace app {
struct cache {
    template <class T> __attribute__((noinline)) void put()
    {
        auto store = [](std::size_t bytes) { kept = std::malloc(bytes); };
        store(sizeof(T));
    }
};
}

int main()
{
    std::vector<int> numbers(1000);
    for (int i = 0; i < 50; i++)
        hold(i);
    for (int i = 0; i < 40; i++)
        share(i);
    for (int i = 0; i < 30; i++)
        sort(numbers);
    for (int i = 0; i < 20; i++) {
        std::vector<std::string> texts;
        append(texts);
    }
    for (int i = 0; i < 10; i++)
        core::prepare();
    for (int i = 0; i < 5; i++)
        app::cache().put<long>();
    return 0;
}
