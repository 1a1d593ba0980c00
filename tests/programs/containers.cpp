/* containers: 25 strings of 100 characters in a vector that has room for them, and a map of 10;
 * tests/cli/test_sites.py knows the lines. Compiled with line numbers. */
#include <map>
#include <string>
#include <vector>

namespace pieces {
struct keeper {
    std::vector<std::string> strings;
    std::map<int, int> numbers;

    __attribute__((noinline)) void fill();
};

void keeper::fill()
{
    strings.reserve(25); /* reserve */
    for (int i = 0; i < 25; i++)
        strings.push_back(std::string(100, 'x')); /* push */
    for (int i = 0; i < 10; i++)
        numbers[i] = i; /* map */
}
}

int main()
{
    pieces::keeper keeper;

    keeper.fill();
    return keeper.strings.size() == 25 ? 0 : 1;
}
