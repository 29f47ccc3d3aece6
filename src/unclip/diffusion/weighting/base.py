"""What every weighting is: a function of the log-SNR."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.typing import LogSNR
from unclip.diffusion.level import resolvable
from unclip.diffusion.schedules import Schedule
from unclip.diffusion.schedules.density import slope


class Weighting(Config, ABC):
    """Base of all weightings. per_log_snr: w is the weight of a unit of log-SNR, whatever the schedule draws."""

    per_log_snr: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, log_snr: LogSNR) -> Tensor:
        """The weight of the squared error of eps at these levels."""

    def drawn(self, log_snr: LogSNR, schedule: Schedule) -> Tensor:
        """The weight at levels drawn by `schedule`: where w counts a unit of log-SNR, divided by their density."""
        weight = self(resolvable(log_snr))
        return weight * slope(schedule, log_snr) if self.per_log_snr else weight
