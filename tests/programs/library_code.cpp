/* What the C++ library does for a type of the program's, of which compilers inline the copying into the library's own functors,
 * lambdas and visitors: each function here allocates by hundreds as tests/cli/test_passed_inside.py says. */
#include <algorithm>
#include <functional>
#include <future>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

struct item {
    std::string text;
    __attribute__((always_inline)) item() {}
    __attribute__((always_inline)) item(const item &other) : text(other.text) {}
    __attribute__((always_inline)) item(item &&other) noexcept : text(std::move(other.text)) {}
    __attribute__((always_inline)) item &operator=(const item &other)
    {
        text = other.text;
        return *this;
    }
};

using value = std::variant<int, item, std::vector<item>>;

static volatile size_t done; /* no last call, no two functions alike */

#define APART static __attribute__((noinline)) void

APART save(std::vector<value> &to, const std::vector<value> &from)
{
    for (auto &one : from)
        to.push_back(one); /* 1000 */
    done = 1;
}

APART undo(std::vector<value> &to, const std::vector<value> &from)
{
    for (int i = 0; i < 2; i++)
        for (auto &one : from)
            to.push_back(one); /* 2000 */
    done = 2;
}

APART assign(std::vector<value> &to, const std::vector<value> &from)
{
    for (size_t i = 0; i < from.size(); i++) {
        value empty;
        to[i] = empty;
        to[i] = from[i]; /* 1000 */
    }
    done = 3;
}

APART describe(const std::vector<value> &of)
{
    for (auto &one : of)
        done = std::visit([](auto copy) { return sizeof copy; }, one); /* 1000 */
    done = 4;
}

APART collect(std::vector<item> &to, const std::vector<item> &from)
{
    std::ranges::copy(from, std::back_inserter(to)); /* 1000 */
    done = 5;
}

APART pick(std::vector<item> &to, const std::vector<item> &from)
{
    for (int i = 0; i < 3; i++)
        std::ranges::copy_if(from, std::back_inserter(to), [](const item &one) { return one.text.size() > 3; }); /* 3000 */
    done = 6;
}

APART texts(std::vector<std::string> &to, const std::vector<item> &from)
{
    std::ranges::transform(from, std::back_inserter(to), &item::text); /* 1000 */
    done = 7;
}

APART fill(std::vector<item> &all, const item &one)
{
    std::vector<item> made(all.size());
    std::ranges::fill(made, one); /* 1000 */
    done = 8;
}

APART promise(const item &one)
{
    for (int i = 0; i < 100; i++) { /* a promise, its result, the item: 300 */
        std::promise<item> promise;
        promise.set_value(one);
    }
    done = 9;
}

APART promises(const item &one)
{
    for (int i = 0; i < 200; i++) { /* 600 */
        std::promise<item> promise;
        promise.set_value(one);
    }
    done = 10;
}

APART take(item one)
{
    done = one.text.size();
}

APART bound(const item &one)
{
    std::function<void()> call = std::bind(take, one);
    for (int i = 0; i < 400; i++)
        call(); /* 400 */
    done = 11;
}

int main()
{
    item one;
    one.text = std::string(40, 'x');
    std::vector<value> values(1000, value(one)), saved, history;
    std::vector<item> items(1000, one), collected, picked;
    std::vector<std::string> copied;

    for (auto *to : { &saved, &history })
        to->reserve(2000);
    for (auto *to : { &collected, &picked })
        to->reserve(3000);
    copied.reserve(1000);
    save(saved, values);
    undo(history, values);
    assign(saved, values);
    describe(values);
    collect(collected, items);
    pick(picked, items);
    texts(copied, items);
    fill(items, one);
    promise(one);
    promises(one);
    bound(one);
    return 0;
}
