// names  code of many shapes for tests/cli/test_symbols.py, which never runs it: templates,
// inlined functions in inlined functions, lambdas, local classes, operators, names that
// only this file has, the same name in several places.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace outer {
namespace {
struct Hidden {
    int value;
    explicit Hidden(int v) : value(v) {}
    bool operator<(const Hidden &other) const { return value < other.value; }
    Hidden operator+(const Hidden &other) const { return Hidden(value + other.value); }
};

int hidden_sum(const std::vector<Hidden> &all)
{
    int sum = 0;
    for (const Hidden &one : all)
        sum += one.value;
    return sum;
}
} // namespace

inline namespace v2 {
template <typename T, int N> struct Ring {
    T items[N];
    int at = 0;
    void push(const T &item)
    {
        items[at] = item;
        at = (at + 1) % N;
    }
    template <typename F> void each(F &&f)
    {
        for (int i = 0; i < N; i++)
            f(items[(at + i) % N]);
    }
};
} // namespace v2

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
    virtual std::string name() const { return "shape"; }
};
struct Square : Shape {
    double side = 1;
    double area() const override { return side * side; }
    std::string name() const override { return "square of " + std::to_string(side); }
};
struct Circle : virtual Shape {
    double radius = 1;
    double area() const override { return 3.14159 * radius * radius; }
};

static inline __attribute__((always_inline)) int innermost(int x)
{
    return x * 3 + (x >> 2);
}
static inline __attribute__((always_inline)) int middle(int x)
{
    int sum = 0;
    for (int i = 0; i < x; i++)
        sum += innermost(i);
    return sum;
}
__attribute__((noinline)) int outermost(int x)
{
    return middle(x) + middle(x + 1);
}

std::string words(const std::string &text)
{
    std::map<std::string, int> counts;
    std::istringstream in(text);
    for (std::string word; in >> word;)
        counts[word]++;
    std::ostringstream out;
    for (auto &[word, count] : counts)
        out << word << '=' << count << ' ';
    return out.str();
}

int local(int x)
{
    struct Local {
        int base;
        int __attribute__((noinline)) twice(int y) { return base + 2 * y; }
        static int __attribute__((noinline)) thrice(int y) { return 3 * y; }
    } l{ x };
    auto lambda = [&](int y) {
        std::vector<int> some(static_cast<size_t>(y + 1), x);
        return std::accumulate(some.begin(), some.end(), 0, [](int a, int b) { return a ^ b; });
    };
    std::function<int(int)> f = lambda;
    return l.twice(x) + Local::thrice(x) + f(x) + lambda(x + 1);
}

template <typename Map> long fill(Map &map, int count)
{
    long sum = 0;
    for (int i = 0; i < count; i++)
        map[std::to_string(i * 7919)] = i;
    for (auto &entry : map)
        sum += entry.second;
    return sum;
}

void throws(int x)
{
    if (x > 100)
        throw std::out_of_range("x is " + std::to_string(x));
}
} // namespace outer

extern "C" __attribute__((noinline)) int plain_c_name(int x)
{
    return outer::outermost(x) + outer::local(x);
}

int main(int argc, char **argv)
{
    using namespace outer;
    std::vector<Hidden> hidden;
    std::set<Hidden> sorted;
    std::map<std::string, int> map;
    std::unordered_map<std::string, int> hashed;
    std::deque<std::unique_ptr<Shape>> shapes;
    Ring<std::string, 8> ring;

    for (int i = 0; i < argc * 10; i++) {
        hidden.emplace_back(i * 31 % 17);
        sorted.insert(Hidden(i) + Hidden(1));
        ring.push(argv[0]);
        if (i % 2)
            shapes.push_back(std::make_unique<Square>());
        else
            shapes.push_front(std::make_unique<Circle>());
    }
    std::sort(hidden.begin(), hidden.end());
    std::stable_sort(hidden.begin(), hidden.end(), [](const Hidden &a, const Hidden &b) { return b < a; });
    ring.each([&](std::string &item) { item += words(item); });
    double area = 0;
    for (auto &shape : shapes)
        area += shape->area() + static_cast<double>(shape->name().size());
    try {
        throws(argc);
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
    }
    std::printf("%d %ld %ld %f %d\n", hidden_sum(hidden), fill(map, argc), fill(hashed, argc), area,
                plain_c_name(argc));
    return 0;
}
