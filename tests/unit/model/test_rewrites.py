import pytest
import torch

from helpers.networks import output, tiny
from speedmap.model import rewrites


@pytest.fixture(scope="module")
def network():
    return tiny().fuse()


def test_a_larger_stem_computes_the_same(network):
    image = torch.rand(1, 3, 64, 96)
    other = rewrites.rewritten(network, stem=7)
    expected, result = output(network, image), output(other, image)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-4)
    assert str(other) != str(network)


def test_the_network_given_stays_as_it_is(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rewrites.rewritten(network, stem=7)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_plain_form_is_the_network_itself(network):
    plain = rewrites.rewritten(network, stem=6)
    assert str(plain) == str(network)


def test_a_stem_of_another_form_is_left_alone():
    network = tiny().fuse()
    network.model[0].conv = torch.nn.Conv2d(3, network.model[0].conv.out_channels, 3, 2, 1)
    enlarged = rewrites.rewritten(network, stem=7).model[0].conv
    assert (enlarged.kernel_size, enlarged.padding) == ((3, 3), (1, 1))
    assert torch.equal(enlarged.weight, network.model[0].conv.weight)
