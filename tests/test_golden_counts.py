"""Parameters and MACs of every family's nets, to the digit: as an independent counter found them in torchvision and the authors' code."""

from __future__ import annotations

import pytest

from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity

#: Name -> parameters, MACs at the size that the net is made for; None where nobody has counted them.
GOLDEN = {
    "ResNet-110-preact": (1_727_962, 252_887_680),
    "ResNet-164-preact-bottleneck": (1_661_274, None),
    "ResNet-164-B-bottleneck-preact": (1_703_258, 244_500_992),
    "ResNet-1001-bottleneck-preact": (10_285_722, None),
    "ResNet-1001-B-bottleneck-preact": (10_327_706, 1_487_849_984),
    "ResNet-164-B-bottleneck-preact-c100": (1_726_388, None),
    "ResNet-1001-B-bottleneck-preact-c100": (10_350_836, None),
    "ResNet-56-rezero": (853_018 + 27, 125_485_696),
    # BN has two parameters a channel, and a convolution's bias one.
    "ResNet-56-nobn": (853_018 - 16 * 19 - 32 * 18 - 64 * 18, 125_485_696),
    "plain-56-nobn": (853_018 - 16 * 19 - 32 * 18 - 64 * 18, 125_485_696),
    "plain-18-ImageNet": (11_515_688, 1_794_805_760),
    "ResNet-18-A-ImageNet": (11_515_688, 1_794_805_760),
    "ResNet-18-ImageNet": (11_689_512, 1_814_073_344),
    "ResNet-18-C-ImageNet": (12_043_816, 1_878_298_624),
    "plain-34-ImageNet": (21_623_848, 3_644_493_824),
    "ResNet-34-A-ImageNet": (21_623_848, 3_644_493_824),
    "ResNet-34-ImageNet": (21_797_672, 3_663_761_408),
    "ResNet-34-C-ImageNet": (22_716_840, 3_830_747_136),
    "plain-50-ImageNet": (22_780_456, 3_498_311_680),
    "ResNet-50-A-ImageNet": (22_780_456, 3_498_311_680),
    "ResNet-50-ImageNet": (25_557_032, 3_857_973_248),
    "ResNet-50-C-ImageNet": (40_128_552, 6_324_224_000),
    "plain-50-ImageNet-v1.5": (22_780_456, 3_729_522_688),
    "ResNet-50-ImageNet-v1.5": (25_557_032, 4_089_184_256),
    "ResNet-50-C-ImageNet-v1.5": (40_128_552, 6_555_435_008),
    "ResNet-101-A-ImageNet": (41_772_584, 7_210_532_864),
    "ResNet-101-ImageNet": (44_549_160, 7_570_194_432),
    "ResNet-101-C-ImageNet": (76_981_288, 13_530_300_416),
    "ResNet-101-A-ImageNet-v1.5": (41_772_584, 7_441_743_872),
    "ResNet-101-ImageNet-v1.5": (44_549_160, 7_801_405_440),
    "ResNet-101-C-ImageNet-v1.5": (76_981_288, 13_761_511_424),
    "ResNet-152-A-ImageNet": (57_416_232, 10_922_754_048),
    "ResNet-152-ImageNet": (60_192_808, 11_282_415_616),
    "ResNet-152-C-ImageNet": (107_335_720, 20_736_376_832),
    "ResNet-152-ImageNet-v1.5": (60_192_808, 11_513_626_624),
    "ResNet-152-C-ImageNet-v1.5": (107_335_720, 20_967_587_840),
    "ResNeXt-50-32x4d": (25_028_904, 4_230_479_872),
    "ResNeXt-50-1x64d": (25_557_032, 4_089_184_256),
    "ResNeXt-50-2x40d": (25_425_000, 4_124_508_160),
    "ResNeXt-50-4x24d": (25_292_968, 4_159_832_064),
    "ResNeXt-50-8x14d": (25_603_016, 4_267_409_408),
    "ResNeXt-101-32x4d": (44_177_704, 7_969_996_800),
    "ResNeXt-101-32x8d": (88_791_336, 16_414_015_488),
    "ResNeXt-101-64x4d": (83_455_272, 15_460_270_080),
    "ResNeXt-101-2x64d": (84_198_184, 15_123_087_360),
    "ResNeXt-101-1x100d": (85_611_336, 15_272_862_720),
    "WRN-50-2": (68_883_240, 11_398_021_120),
    "WRN-101-2": (126_886_696, 22_753_050_624),
    "ResNeXt-29-8x64d": (34_426_698, 5_387_266_048),
    "ResNeXt-29-16x64d": (68_155_210, 10_688_866_304),
    "ResNeXt-29-1x64d": (4_914_250, 748_365_824),
    "ResNeXt-29-32x4d": (4_775_754, 774_055_936),
    "ResNeXt-29-8x64d-c100": (34_518_948, None),
    "ResNeXt-29-16x64d-c100": (68_247_460, None),
    "ResNeXt-29-32x4d-a": (4_775_754, 774_055_936),
    "ResNeXt-29-32x4d-b": (4_775_754, 774_055_936),
    "WRN-28-10": (36_479_194, 5_243_328_768),
    "WRN-40-4": (8_949_210, 1_298_582_016),
    "WRN-16-8": (10_961_370, 1_548_145_664),
    "WRN-28-10-c100": (36_536_884, None),
    "WRN-16-4": (2_748_890, None),
    "WRN-40-1": (563_930, None),
    "WRN-40-2": (2_243_546, None),
    "WRN-22-8": (17_158_106, None),
    "WRN-28-12": (52_517_850, None),
    "WRN-28-1": (369_498, None),
    "ResNet-110-sd50": (1_727_962, 252_887_680),
    "ResNet-1202-sd50": (19_421_274, 2_829_238_912),
    "ResNet-20-nobn-fixup": (268_393, 40_551_040),
    "ResNet-32-nobn-fixup": (461_959, None),
    "ResNet-44-nobn-fixup": (655_525, None),
    "ResNet-56-nobn-fixup": (849_091, 125_485_696),
    "ResNet-110-nobn-fixup": (1_720_138, 252_887_680),
    "DenseNet-40-k12": (1_019_722, 264_812_928),
    "DenseNet-100-k12": (6_979_642, 1_769_516_448),
    "DenseNet-100-k24": (27_249_082, 6_889_347_744),
    "DenseNet-BC-100-k12": (769_162, 287_929_692),
    "DenseNet-BC-250-k24": (15_324_406, 5_418_785_724),
    "DenseNet-BC-190-k40": (25_624_430, 9_301_945_740),
    "DenseNet-40-k12-c100": (1_060_132, None),
    "DenseNet-BC-100-k12-c100": (800_032, None),
    "DenseNet-BC-250-k24-c100": (15_480_556, None),
    "DenseNet-BC-190-k40-c100": (25_821_620, None),
    "DenseNet-121": (7_978_856, 2_834_161_664),
    "DenseNet-169": (14_149_480, 3_359_843_328),
    "DenseNet-201": (20_013_928, 4_291_365_888),
    "DenseNet-161": (28_681_000, 7_727_907_072),
    "Highway-19": (2_256_838, 330_826_728),
    "VGG-11": (132_863_336, 7_609_090_048),
    "VGG-11-BN": (132_868_840, 7_609_090_048),
    "VGG-13": (133_047_848, 11_308_466_176),
    "VGG-13-BN": (133_053_736, 11_308_466_176),
    "VGG-16": (138_357_544, 15_470_264_320),
    "VGG-16-BN": (138_365_992, 15_470_264_320),
    "VGG-19": (143_667_240, 19_632_062_464),
    "VGG-19-BN": (143_678_248, 19_632_062_464),
    "VGG-16-C": (133_638_952, 11_770_888_192),
    "AlexNet": (60_965_224, 724_406_816),
    "AlexNet-onetower": (62_378_344, 1_135_256_096),
    "AlexNet-torchvision": (61_100_840, 714_188_480),
    "GoogLeNet": (6_998_552, 1_582_671_872),
    "GoogLeNet-aux": (13_378_280, 1_582_671_872),
    "GoogLeNet-BN": (7_005_832, 1_582_671_872),
    "GoogLeNet-torchvision": (6_624_904, 1_498_376_192),
    "GoogLeNet-torchvision-aux": (13_004_888, 1_498_376_192),
    "VGG-16-CIFAR": (14_728_266, None),
    "GoogLeNet-CIFAR": (6_166_250, None),
    "VGG-16-h512-d50-CIFAR": (15_253_578, None),
    "ResNet-18-CIFAR": (11_173_962, None),
    "ResNet-18-barepreact-CIFAR": (11_171_146, None),
    "ResNeXt-29-2x64d-double": (9_128_778, None),
    "DenseNet-121-CIFAR": (6_956_298, None),
    "DenseNet-121-k12-CIFAR": (1_000_618, None),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_exact_counts(name):
    net, (params, macs) = complexity(parse(name)), GOLDEN[name]
    assert net.params == params
    assert macs is None or net.macs == macs


def test_moving_the_stride_costs_as_much_in_every_net():
    for depth in (50, 101, 152):
        paper, moved = (complexity(parse(f"ResNet-{depth}-ImageNet{end}")) for end in ("", "-v1.5"))
        assert (moved.macs - paper.macs, moved.params) == (231_211_008, paper.params)


def test_option_c_adds_thirteen_projections_to_resnet_34():
    b, c = (complexity(parse(name)) for name in ("ResNet-34-ImageNet", "ResNet-34-C-ImageNet"))
    projections = [sum(row.kind == "projection" for row in net.rows) for net in (b, c)]
    assert projections == [3, 3 + 13]
