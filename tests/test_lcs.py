"""Of several longest common subsequences LCS finds the one that the table of Redis leads to, whichever string is longer."""

import random

import pytest

from emulator.commands.lcs import _common_subsequence


def by_the_table(a, b):
    lengths = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a, 1):
        for j, other in enumerate(b, 1):
            before = lengths[i - 1]
            lengths[i][j] = before[j - 1] + 1 if one == other else max(before[j], lengths[i][j - 1])
    pairs, i, j = [], len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


@pytest.mark.parametrize("letters", [1, 2, 3, 20])
@pytest.mark.parametrize("longest", [(3, 40), (40, 3), (25, 25)])
def test_it_is_the_one_of_the_table(letters, longest):
    chance = random.Random(letters)
    for _ in range(200):
        a, b = (bytes(chance.randrange(letters) for _ in range(chance.randrange(most))) for most in longest)
        assert _common_subsequence(a, b) == by_the_table(a, b)
